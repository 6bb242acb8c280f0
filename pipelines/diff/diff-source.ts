import { LakeError } from "../../schemas/errors.js";
import type { Receipt } from "../../schemas/records.js";
import { shardParts } from "../datasets/dataset.js";
import type { StoredSnapshot } from "../lake.js";
import { readShardMetadata, type SplitMetadata } from "../mirror/metadata.js";
import { changesOf, inputSha256, knownRows, planShards, requireListed, type ShardPlan } from "../mirror/plan.js";
import { commitDatesOf, type MetadataTools, readMetadata, splitsOf } from "../mirror/plan-mirror.js";
import type { ArchiveReader, Listing, Member, ShardInput } from "../ports.js";
import { openMembers } from "../shard-members.js";
import { byCodePoint } from "../text.js";
import { type DiffTools, shardReceipts, snapshotSide } from "./diff-snapshots.js";
import { compareMetadata, type LakeShard, readLakeShard } from "./metadata-rows.js";
import { type Diff, type ImageBytes, noChanges, note, type ShardChange, type Side } from "./types.js";

export type DiffSourceTools = DiffTools & MetadataTools & { archives: ArchiveReader };

/**
 * Compares a snapshot with what the source holds now, for the shards asked for: what a mirror with the snapshot's
 * settings would do anew, and why. Downloads the metadata where it must, never a zip; what stays unknown is listed so.
 * Throws as `planMirror` does, and LAKE_DAMAGED.
 */
export async function diffSource(
	stored: StoredSnapshot,
	wanted: string[],
	tools: DiffSourceTools,
	signal: AbortSignal,
): Promise<Diff> {
	const { dataset, source, store } = tools;
	const { snapshot } = stored;
	const receipts = await shardReceipts(store, snapshot);
	const listing = await source.list({ shards: wanted, splits: splitsOf(dataset, wanted) }, signal);
	const listed = wanted.filter((shard) => listing.shards.has(shard));
	const splits = splitsOf(dataset, listed);
	requireListed(listing, listed, splits, dataset);
	const byWorkId = new Map([...receipts.values()].map((receipt) => [receipt.work_id, receipt]));
	const told = knownRows(snapshot, byWorkId, listing, listed);
	const metadata = told ? new Map() : await readMetadata(splits, listing, tools, signal, new Set(splits));
	const rowsSha256 = told ?? new Map([...metadata.values()].flatMap((split: SplitMetadata) => [...split.rowsSha256]));
	const plans = planShards({
		...{ dataset, wanted: listed, listing, rowsSha256, settings: snapshot.settings, base: snapshot },
		...{ receipts: byWorkId, commitDates: await commitDatesOf(store, snapshot, listing) },
	});
	const planned = new Map(plans.map((plan) => [plan.shard, plan]));
	const shards = wanted.flatMap((shard) => shardChange(shard, receipts.get(shard), planned.get(shard)));
	const diff: Diff = {
		equal: shards.length === 0,
		before: snapshotSide(stored),
		after: sourceSide(listing),
		...{ settings: [], shards, rows: { metadata: noChanges() }, images: noChanges() },
		...{ counts: [], findings: [], unknown: [] },
	};
	tools.onShards(shards.length);
	for (const { shard } of shards) {
		signal.throwIfAborted();
		await compareShard(diff, shard, receipts.get(shard), planned.get(shard), metadata, tools, signal);
		tools.onShard();
	}
	return diff;
}

function sourceSide({ uri, revision, commit, committedAt }: Listing): Side {
	return {
		...{ what: "source", number: null, snapshot: null, uri, revision, commit },
		...{ committed_at: committedAt, skipped: [] },
	};
}

function shardChange(shard: string, old: Receipt | undefined, plan: ShardPlan | undefined): ShardChange[] {
	const ids = { before: old?.work_id ?? null, after: plan?.workId ?? null };
	if (ids.before === ids.after) return [];
	if (!old || !plan) return [{ shard, change: old ? "removed" : "added", why: [], ...ids }];
	const now = { inputSha256: plan.input.sha256, metadataRowsSha256: plan.metadataRowsSha256 };
	const later = plan.action === "keep" ? [plan.reason] : [];
	return [{ shard, change: "changed", why: [...changesOf(old, now, old.settings), ...later], ...ids }];
}

/** Rows by the metadata, pictures by the files of an unpacked shard, or by a zip's directory. */
async function compareShard(
	diff: Diff,
	shard: string,
	old: Receipt | undefined,
	plan: ShardPlan | undefined,
	metadata: Map<string, SplitMetadata>,
	tools: DiffSourceTools,
	signal: AbortSignal,
): Promise<void> {
	const prefix = tools.dataset.rowPrefix(shard);
	const lake = old ? await readLakeShard(old, prefix, tools) : { rows: new Map(), members: new Map() };
	if (plan?.metadataRowsSha256 !== old?.inputs.metadata_rows_sha256) {
		await compareRows(diff, shard, lake, plan ? metadata : new Map(), tools);
	}
	if (old && plan && inputSha256(old) === plan.input.sha256) return;
	if (plan?.input.form !== "zip") return compareMembers(diff, shard, lake, looseBytes(plan), tools);
	if (old) return compareZip(diff, shard, lake, plan.input, tools, signal);
	diff.unknown.push({ shard, what: "images", count: null, why: "not downloaded" });
}

async function compareRows(
	diff: Diff,
	shard: string,
	{ rows: known }: LakeShard,
	metadata: Map<string, SplitMetadata>,
	{ tables, dataset, limit }: DiffSourceTools,
): Promise<void> {
	const split = metadata.get(shardParts(shard).split);
	const changes = diff.rows.metadata ?? noChanges();
	const before = total(diff);
	const found = split ? await readShardMetadata(tables, dataset, split, shard) : null;
	const untold = compareMetadata(shard, known, found?.rows ?? new Map(), changes, limit);
	if (untold > 0) {
		const why = "rows in quarantine; what the metadata said of them is not recorded";
		diff.unknown.push({ shard, what: "rows", count: untold, why });
	} else if (total(diff) === before) {
		const names = found?.unknownColumns.join(", ") || "none now";
		const why = `no row differs; columns that are not published came or went: ${names}`;
		diff.unknown.push({ shard, what: "columns", count: null, why });
	}
}

function total({ rows: { metadata } }: Diff): number {
	return metadata ? metadata.added.count + metadata.removed.count + metadata.changed.count : 0;
}

/** Files of an unpacked shard; of one that is gone, none. */
function looseBytes(plan: ShardPlan | undefined): Map<string, ImageBytes> {
	const files = plan?.input.form === "unpacked" ? plan.input.files : [];
	return new Map(
		files.map(({ name, sha256, bytes }) => {
			return [name, { object_key: null, source_sha256: sha256, source_bytes: bytes, crc32: null }];
		}),
	);
}

/** By the zip's directory alone, which is fetched by ranges. One that is no honest zip is told, and fails nothing. */
async function compareZip(
	diff: Diff,
	shard: string,
	lake: LakeShard,
	input: ShardInput,
	tools: DiffSourceTools,
	signal: AbortSignal,
): Promise<void> {
	try {
		const { onRetry = () => {} } = tools;
		const members = await openMembers(input, shard, { ...tools, onRetry }, signal);
		try {
			compareMembers(diff, shard, lake, new Map(members.all.map((member) => [member.name, zipBytes(member)])), tools);
		} finally {
			await members.release();
		}
	} catch (error) {
		if (!(error instanceof LakeError) || !["ZIP_CORRUPT", "ZIP_UNSAFE"].includes(error.code)) throw error;
		const why = `${error.code}: ${error.message}`;
		diff.unknown.push({ shard, what: "images", count: lake.members.size, why });
	}
}

function zipBytes({ ref }: Member): ImageBytes {
	const crc32 = ref.kind === "zip" ? ref.crc32.toString(16).padStart(8, "0") : null;
	return { object_key: null, source_sha256: null, source_bytes: ref.bytes, crc32 };
}

/** Pictures by name: what both sides know of one is compared. */
function compareMembers(
	diff: Diff,
	shard: string,
	{ members }: LakeShard,
	now: Map<string, ImageBytes>,
	{ dataset, limit }: DiffSourceTools,
): void {
	let untold = 0;
	for (const name of [...new Set([...members.keys(), ...now.keys()])].sort(byCodePoint)) {
		const [before, after] = [members.get(name) ?? null, now.get(name) ?? null];
		const same = before && after ? sameBytes(before, after) : false;
		if (same === null) untold += 1;
		if (same !== false) continue;
		const change = !before ? "added" : !after ? "removed" : "changed";
		note(diff.images[change], { image_path: `${dataset.rowPrefix(shard)}${name}`, before, after }, limit);
	}
	const why = "members in quarantine have the same size, and no CRC-32 is recorded";
	if (untold > 0) diff.unknown.push({ shard, what: "images", count: untold, why });
}

/** Null where it cannot be told. */
function sameBytes(a: ImageBytes, b: ImageBytes): boolean | null {
	if (a.source_sha256 !== null && b.source_sha256 !== null) return a.source_sha256 === b.source_sha256;
	if (a.source_bytes !== b.source_bytes) return false;
	return a.crc32 !== null && b.crc32 !== null ? a.crc32 === b.crc32 : null;
}
