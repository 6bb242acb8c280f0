import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { LakeError } from "../../../schemas/errors.js";
import type { Snapshot } from "../../../schemas/records.js";
import type { RequestedSettings, Settings } from "../../../schemas/settings.js";
import { type Dataset, metadataColumns, splitsOf } from "../../dataset.js";
import { download } from "../../fetch/download.js";
import { commitDatesOf } from "../../lake/commit-dates.js";
import { receiptFile } from "../../lake/paths.js";
import { readReceipts, unmarkedReceipts } from "../../lake/receipt.js";
import { readLatestSnapshot } from "../../lake/snapshot.js";
import type { Clock } from "../../ports/run.js";
import type { Listing, Source, SourceFile } from "../../ports/source.js";
import type { Reader } from "../../ports/store.js";
import type { MetadataColumn, Predicate, TableFiles } from "../../ports/tables.js";
import type { RetryPolicy } from "../../retry.js";
import { hashFile } from "../../scratch/hash-file.js";
import {
	knownRows,
	type LakeState,
	openWorks,
	planShards,
	requireListed,
	type ShardPlan,
	type ShardWork,
	shardWorks,
	type WantedWork,
} from "./decide.js";
import { readSplitMetadata, type SplitMetadata } from "./metadata.js";
import { SelectionBuilder } from "./selection.js";
import { chooseSettings } from "./settings.js";
import { unkeptShards } from "./unkept.js";

/** What a mirror has to do. */
export interface MirrorRequest {
	/** Shards in the dataset's order. */
	wanted: string[];
	settings: RequestedSettings;
	newSettings: boolean;
	prune: boolean;
	keepRejected: boolean;
	/** Name and version of this release's encoder; called only if images are re-encoded. */
	codec(): Promise<string>;
}

export interface PlanTools {
	dataset: Dataset;
	source: Source;
	store: Reader;
	tables: TableFiles;
	clock: Clock;
	scratch: string;
	/** Policy for downloads; default RETRY_POLICY. */
	retry?: RetryPolicy;
	/** A download of metadata failed; the next attempt begins after this many seconds. */
	onRetry?: (error: LakeError, seconds: number) => void;
	/** Bytes of metadata fetched over the network. */
	onFetched(bytes: number): void;
	/** Parses a predicate. Throws USAGE if it is refused. */
	openPredicate(where: string, columns: readonly MetadataColumn[]): Promise<Predicate>;
}

/** Dependencies of reading the source's metadata. */
export type MetadataTools = Omit<PlanTools, "store">;

/** A plan, with everything it was made from. */
export interface MirrorPlan {
	listing: Listing;
	settings: Settings;
	/** The newest snapshot at the time of planning. */
	base: Snapshot | null;
	shards: ShardPlan[];
	/** Empty when the lake's own records show that there is nothing to do. */
	metadata: Map<string, SplitMetadata>;
	/** Whether a run would change nothing in the lake. */
	upToDate: boolean;
}

/** Lists the source, reads metadata and receipts, and plans. Writes to scratch only. */
export async function planMirror(request: MirrorRequest, tools: PlanTools, signal: AbortSignal): Promise<MirrorPlan> {
	const { dataset, store } = tools;
	const { wanted } = request;
	const base = (await readLatestSnapshot(store))?.snapshot ?? null;
	const image = request.settings.image ?? base?.settings.image ?? "passthrough";
	const codec = image === "passthrough" ? "" : await request.codec();
	const settings = chooseSettings(request.settings, base?.settings ?? null, codec, request.newSettings);
	requireCovered(request, settings, base);
	const splits = splitsOf(dataset, wanted);
	const present = splitsOf(dataset, [...wanted, ...(base?.shards.map(({ shard }) => shard) ?? [])]);
	const listing = await tools.source.list({ shards: wanted, splits: present }, signal);
	requireListed(listing, wanted, splits, dataset);

	const receipts = await readReceipts(store, base?.shards.map(({ receipt }) => receipt) ?? []);
	const lake = { listing, base, receipts, commitDates: await commitDatesOf(store, base, listing) };
	const wantedWork = { dataset, wanted, listing, settings };
	const done = await worksIfDone(request, wantedWork, lake, tools);
	const metadata: MirrorPlan["metadata"] = done
		? new Map()
		: await readMetadata(present, listing, settings, tools, signal, new Set(splits));
	const works =
		done ?? shardWorks(wantedWork, new Map([...metadata.values()].flatMap((split) => [...split.rowsSha256])));
	const paths = openWorks(works, lake).map(({ shard, workId }) => receiptFile.path(shard, workId));
	for (const [id, receipt] of await unmarkedReceipts(store, paths)) receipts.set(id, receipt);
	const unkept = done ? new Set<string>() : await findUnkept(request, works, lake, tools);
	const selections = new Map([...metadata.values()].flatMap((split) => [...(split.selections ?? [])]));
	const remote = remoteShards(tools.source, listing);
	const shards = planShards({ ...lake, works, settings, selections, remote, unkept });
	requireCodec(shards, settings, codec);
	return { listing, settings, base, shards, metadata, upToDate: isUpToDate(shards, request, base) };
}

/** The work if the lake's own records show that it is all done, so that metadata need not be read; else null. */
async function worksIfDone(
	request: MirrorRequest,
	wantedWork: WantedWork,
	lake: LakeState,
	tools: PlanTools,
): Promise<ShardWork[] | null> {
	const rowsSha256 = knownRows(lake.base, lake.receipts, wantedWork.listing, wantedWork.wanted);
	if (rowsSha256 === null || dropsShards(request, lake.base)) return null;
	const works = shardWorks(wantedWork, rowsSha256);
	if (openWorks(works, lake).length > 0) return null;
	return (await findUnkept(request, works, lake, tools)).size === 0 ? works : null;
}

async function findUnkept(
	{ keepRejected }: MirrorRequest,
	works: ShardWork[],
	{ receipts }: LakeState,
	tools: PlanTools,
): Promise<Set<string>> {
	if (!keepRejected) return new Set();
	const done = works.flatMap(({ workId }) => receipts.get(workId) ?? []);
	return unkeptShards(done, tools);
}

/** Shards whose zip would have to be downloaded. */
export function remoteShards(source: Source, { shards }: Listing): Set<string> {
	const remote = [...shards].filter(([, input]) => input.form === "zip" && source.localPath(input.file) === null);
	return new Set(remote.map(([shard]) => shard));
}

function dropsShards({ wanted, prune }: MirrorRequest, base: Snapshot | null): boolean {
	return prune && (base?.shards.some(({ shard }) => !wanted.includes(shard)) ?? false);
}

function isUpToDate(shards: ShardPlan[], request: MirrorRequest, base: Snapshot | null): boolean {
	return (
		!dropsShards(request, base) && shards.every(({ action, reason }) => action === "keep" || reason === "up to date")
	);
}

/** A lake has one set of settings, so new ones must apply to all of its shards. */
export function requireCovered(
	{ wanted, prune }: Pick<MirrorRequest, "wanted" | "prune">,
	settings: Settings,
	base: Snapshot | null,
): void {
	if (!base || prune) return;
	const keys = Object.keys(settings) as (keyof Settings)[];
	if (keys.every((key) => settings[key] === base.settings[key])) return;
	const left = base.shards.map(({ shard }) => shard).filter((shard) => !wanted.includes(shard));
	if (left.length === 0) return;
	throw new LakeError(
		"SETTINGS_DIFFER",
		`--new-settings must cover every published shard; left out: ${left.join(", ")}.`,
		{
			hint: "Ask for these shards too, or add --prune to drop them.",
		},
	);
}

/** Throws SETTINGS_DIFFER if there is work left that needs another encoder than this release's. */
function requireCodec(shards: ShardPlan[], settings: Settings, codec: string): void {
	if (settings.codec === null || settings.codec === codec) return;
	if (shards.every(({ action }) => action !== "process")) return;
	throw new LakeError("SETTINGS_DIFFER", `The lake was re-encoded by ${settings.codec}; this release has ${codec}.`, {
		hint: "Add --new-settings to encode every shard anew.",
	});
}

/** The metadata of each split, with the predicate's selection. A split that was not asked for is left out if it cannot be read. */
export async function readMetadata(
	splits: string[],
	listing: Listing,
	settings: Settings,
	tools: MetadataTools,
	signal: AbortSignal,
	asked: Set<string>,
): Promise<Map<string, SplitMetadata>> {
	const { where, where_mode } = settings;
	const predicate = where === null ? null : await tools.openPredicate(where, metadataColumns(tools.dataset));
	const found = new Map<string, SplitMetadata>();
	try {
		for (const split of splits) {
			const file = listing.metadata.get(split);
			if (!file) continue;
			try {
				const described = { split, path: file.path, ...(await fetchMetadata(file, tools, signal)) };
				const builder = predicate && new SelectionBuilder(predicate, where_mode, tools.dataset.group);
				found.set(split, await readSplitMetadata(tools.tables, tools.dataset, described, builder));
			} catch (error) {
				if (asked.has(split) || signal.aborted) throw error;
			}
		}
	} finally {
		await predicate?.close();
	}
	return found;
}

/** The metadata file on this machine: in the local source, or kept in scratch under its hash. */
async function fetchMetadata(
	file: SourceFile,
	tools: MetadataTools,
	signal: AbortSignal,
): Promise<{ file: string; sha256: string; bytes: number }> {
	const { source, scratch, clock } = tools;
	const local = source.localPath(file);
	if (local !== null) {
		return { file: local, sha256: file.sha256 ?? (await hashFile(local, { signal })), bytes: file.bytes };
	}
	const folder = join(scratch, "metadata");
	if (file.sha256 !== null) {
		const kept = join(folder, `${file.sha256}.parquet`);
		const found = await hashFile(kept, { signal }).catch(() => null);
		if (found === file.sha256) return { file: kept, sha256: found, bytes: file.bytes };
	}
	const { retry, onRetry } = tools;
	const part = await download(source, file, {
		scratch,
		clock,
		signal,
		retry,
		mismatch: "METADATA_MISSING",
		onBytes: () => {},
		...(onRetry ? { onRetry } : {}),
	});
	tools.onFetched(part.fetched);
	await mkdir(folder, { recursive: true });
	const kept = join(folder, `${part.sha256}.parquet`);
	await rename(part.path, kept);
	return { file: kept, sha256: part.sha256, bytes: part.bytes };
}
