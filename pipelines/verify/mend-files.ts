import { rm } from "node:fs/promises";
import { join } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import type { Receipt, Snapshot, TableFile } from "../../schemas/records.js";
import { tableFile } from "../lake/paths.js";
import { inputSha256 } from "../lake/receipt.js";
import type { ShardPlan } from "../mirror/plan/decide.js";
import type { SplitMetadata } from "../mirror/plan/metadata.js";
import { planFetch, remoteShards } from "../mirror/plan/plan-fetch.js";
import { readMetadata } from "../mirror/plan/read-metadata.js";
import { withCheckedShard } from "../mirror/shard.js";
import { writeTables } from "../mirror/write/write-tables.js";
import type { Source } from "../ports/source.js";
import { shardFiles, shardParts } from "../shards.js";
import { metadataPath } from "../splits.js";
import type { MendTools } from "./mend-tools.js";
import { type ShardOrigin, shardOrigin, soundReceipt } from "./origins.js";
import type { OnOutcome } from "./verify.js";

/** Makes tables again from their whole shards; stores only those that come out with the recorded bytes. */
export async function mendFiles(
	damaged: TableFile[],
	snapshots: Snapshot[],
	tools: MendTools,
	onOutcome: OnOutcome,
): Promise<void> {
	const shards = new Map<string, { origin: ShardOrigin; files: TableFile[] }>();
	for (const file of damaged) {
		const origin = fileOrigin(file, snapshots);
		if (!origin) await onOutcome(file.path, "no snapshot tells of which shard it is");
		else shards.set(origin.receipt, { origin, files: [...(shards.get(origin.receipt)?.files ?? []), file] });
	}
	for (const { origin, files } of shards.values()) {
		const open = new Set(files.map(({ path }) => path));
		let why = "made again by this release, it has other bytes; use the release that made it, or mirror into a new lake";
		try {
			for (const path of await remakeFiles(origin, files, tools)) {
				open.delete(path);
				await onOutcome(path, null);
			}
		} catch (error) {
			tools.signal.throwIfAborted();
			if (!(error instanceof LakeError)) throw error;
			why = `${error.message} (${error.code}: ${error.hint})`;
		}
		await rm(tools.staged, { recursive: true, force: true });
		for (const path of open) await onOutcome(path, why);
	}
}

/** The file's shard, in the newest snapshot that has the file. */
function fileOrigin({ path }: TableFile, snapshots: Snapshot[]): ShardOrigin | null {
	const snapshot = snapshots.findLast(({ tables }) => {
		return Object.values(tables).some(({ files }) => files.some((file) => file.path === path));
	});
	return snapshot ? shardOrigin(snapshot, tableFile.parse(path)?.shard, snapshots) : null;
}

/** Processes the shard again without changing the lake, but for files that come out as recorded; returns their paths. */
async function remakeFiles(origin: ShardOrigin, files: TableFile[], tools: MendTools): Promise<string[]> {
	const { signal } = tools;
	const { shard, settings } = origin;
	const receipt = await soundReceipt(tools.store, origin.receipt);
	if (!receipt) throw new LakeError("LAKE_DAMAGED", `The receipt ${origin.receipt} is damaged, too.`);
	const source = await tools.sourceOf(origin.uri, origin.commit);
	const { plan, metadata } = await planAgain(receipt, source, tools);
	const mended: string[] = [];
	const work = join(tools.work, "tables");
	const putBack = async ({ path, sha256 }: TableFile, local: string): Promise<void> => {
		if (files.find((file) => file.path === path)?.sha256 !== sha256) return;
		await tools.store.overwrite(path, local);
		mended.push(path);
	};
	// The reject ratio was judged when the shard was published.
	const checkTools = { ...tools, source, images: await tools.images(), maxRejectRatio: 1 };
	await withCheckedShard({ plan, metadata, settings }, checkTools, signal, async ({ tables }) => {
		await writeTables(shard, tables, { dataset: tools.dataset, tables: tools.tables, folder: work }, putBack);
	});
	tools.progress.shardDone(shard, "done");
	return mended;
}

/** The shard's work by its receipt. Throws SHARD_MISSING, METADATA_MISSING, SOURCE_CHANGED if the source has changed. */
async function planAgain(
	receipt: Receipt,
	source: Source,
	tools: MendTools,
): Promise<{ plan: ShardPlan; metadata: SplitMetadata }> {
	const { signal } = tools;
	const { shard } = receipt;
	const { split } = shardParts(shard);
	const listing = await source.list({ shards: [shard], splits: [split] }, signal);
	const input = listing.shards.get(shard);
	if (!input) throw new LakeError("SHARD_MISSING", `${source.name} lacks ${shard}`);
	const wanted = { ...tools, source, onFetched: tools.onFetched };
	const described = { listing, settings: receipt.settings, splits: [split], asked: [split] };
	const metadata = (await readMetadata(described, wanted, signal)).get(split);
	if (!metadata) throw new LakeError("METADATA_MISSING", `${source.name} lacks ${metadataPath(tools.dataset, split)}`);
	const metadataRowsSha256 = metadata.rowsSha256.get(shard) ?? "";
	const same = metadataRowsSha256 === receipt.inputs.metadata_rows_sha256;
	if (input.sha256 !== inputSha256(receipt) || !same) {
		const what = same ? "zip" : "metadata";
		throw new LakeError(
			"SOURCE_CHANGED",
			`The ${what} of ${shard} in ${source.name} is not what the lake was made of.`,
			{ hint: "Give --source with a copy of the commit that the snapshot names." },
		);
	}
	const { work_id: workId } = receipt;
	const fetching = { selections: metadata.selections ?? new Map(), remote: remoteShards(source, listing) };
	const plan: ShardPlan = {
		shard,
		action: "process",
		reason: "new",
		workId,
		input,
		metadataRowsSha256,
		receipt: null,
		files: shardFiles(tools.dataset, shard),
		...planFetch(shard, input.bytes, fetching),
	};
	return { plan, metadata };
}
