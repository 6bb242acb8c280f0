import type { Receipt } from "../../schemas/records.js";
import { commitDatesOf } from "../lake/commit-dates.js";
import { inputSha256, snapshotReceipts } from "../lake/receipt.js";
import type { StoredSnapshot } from "../lake/snapshot.js";
import { planShards, type ShardPlan } from "../mirror/plan/decide.js";
import { readShardMetadata, type SplitMetadata } from "../mirror/plan/metadata.js";
import { type MetadataTools, readMetadata } from "../mirror/plan/read-metadata.js";
import { changesOf } from "../mirror/plan/reasons.js";
import { knownRows, requireListed, shardWorks } from "../mirror/plan/shard-work.js";
import type { ArchiveReader } from "../ports/archive.js";
import type { Listing } from "../ports/source.js";
import { shardParts } from "../shards.js";
import { splitsOf } from "../splits.js";
import { addTo, noChanges } from "./changes.js";
import type { Diff, ShardChange, Side } from "./diff.js";
import { type DiffTools, snapshotSide } from "./diff-snapshots.js";
import { compareMetadata, type LakeShard, readLakeShard } from "./metadata-rows.js";
import { comparePictures, sourcePictures } from "./pictures.js";

type DiffSourceTools = DiffTools & MetadataTools & { archives: ArchiveReader };

/**
 * Compares a snapshot with the source's present content, for the wanted shards: what a mirror with the snapshot's
 * settings would do again, and why. Downloads metadata if it must, never a zip; lists what remains unknown.
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
	const receipts = await snapshotReceipts(store, snapshot);
	const listing = await source.list({ shards: wanted, splits: splitsOf(dataset, wanted) }, signal);
	const listed = wanted.filter((shard) => listing.shards.has(shard));
	const splits = splitsOf(dataset, listed);
	requireListed(listing, listed, splits, dataset);
	const byWorkId = new Map([...receipts.values()].map((receipt) => [receipt.work_id, receipt]));
	const { settings } = snapshot;
	// With a predicate, only the metadata tells which images are in the lake.
	const known = settings.where !== null ? null : knownRows(snapshot, byWorkId, listing, listed);
	const metadata = known ? new Map() : await readMetadata({ listing, settings, splits, asked: splits }, tools, signal);
	const rowsSha256 = known ?? new Map([...metadata.values()].flatMap((split: SplitMetadata) => [...split.rowsSha256]));
	const plans = planShards({
		works: shardWorks({ dataset, wanted: listed, listing, settings }, rowsSha256),
		listing,
		settings,
		base: snapshot,
		receipts: byWorkId,
		commitDates: await commitDatesOf(store, snapshot, listing),
		selections: new Map(),
		remote: new Set(),
		unkept: new Set(),
	});
	const planned = new Map(plans.map((plan) => [plan.shard, plan]));
	const shards = wanted.flatMap((shard) => shardChange(shard, receipts.get(shard), planned.get(shard)));
	const diff = emptyDiff(stored, listing, shards);
	tools.onShards(shards.length);
	for (const { shard } of shards) {
		signal.throwIfAborted();
		const one = { shard, old: receipts.get(shard), plan: planned.get(shard), metadata };
		await compareShard(diff, one, tools, signal);
		tools.onShard();
	}
	return diff;
}

function emptyDiff(stored: StoredSnapshot, listing: Listing, shards: ShardChange[]): Diff {
	return {
		equal: shards.length === 0,
		before: snapshotSide(stored),
		after: sourceSide(listing),
		settings: [],
		shards,
		rows: { metadata: noChanges() },
		images: noChanges(),
		counts: [],
		findings: [],
		unknown: [],
	};
}

function sourceSide({ uri, revision, commit, committedAt }: Listing): Side {
	return {
		what: "source",
		number: null,
		snapshot: null,
		uri,
		revision,
		commit,
		committed_at: committedAt,
		skipped: [],
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

interface ShardPair {
	shard: string;
	old: Receipt | undefined;
	plan: ShardPlan | undefined;
	/** By split. */
	metadata: Map<string, SplitMetadata>;
}

/** Compares rows by the metadata; images by the files of an unpacked shard, or by a zip's directory. */
async function compareShard(
	diff: Diff,
	{ shard, old, plan, metadata }: ShardPair,
	tools: DiffSourceTools,
	signal: AbortSignal,
): Promise<void> {
	const split = metadata.get(shardParts(shard).split);
	const prefix = tools.dataset.layout.rowPrefix(shard);
	const lake = old ? await readLakeShard(old, prefix, tools) : { rows: new Map(), members: new Map() };
	if (plan?.metadataRowsSha256 !== old?.inputs.metadata_rows_sha256) {
		await compareRows(diff, { shard, split: plan && split }, lake, tools);
	}
	if (old && plan && inputSha256(old) === plan.input.sha256) return;
	const isNew = !old && plan?.input.form === "zip";
	const now = isNew ? "not downloaded" : await sourcePictures(plan?.input ?? null, shard, tools, signal);
	if (typeof now === "string") {
		diff.unknown.push({ shard, what: "images", count: old ? lake.members.size : null, why: now });
		return;
	}
	// Images that a predicate does not choose were never in the lake.
	const chosen = split?.selections?.get(shard)?.chosen;
	const known = new Map(
		[...now].filter(([name]) => !chosen || chosen.has(`${prefix}${name}`) || lake.members.has(name)),
	);
	const unknown = comparePictures(lake.members, known, (change, name) => {
		const [before, after] = [lake.members.get(name) ?? null, known.get(name) ?? null];
		addTo(diff.images[change], { image_path: `${prefix}${name}`, before, after }, tools.limit);
	});
	const why = "members in quarantine have the same size, and no CRC-32 is recorded";
	if (unknown > 0) diff.unknown.push({ shard, what: "images", count: unknown, why });
}

async function compareRows(
	diff: Diff,
	{ shard, split }: { shard: string; split: SplitMetadata | undefined },
	{ rows: known }: LakeShard,
	{ tables, dataset, limit }: DiffSourceTools,
): Promise<void> {
	const changes = diff.rows.metadata ?? noChanges();
	const before = total(diff);
	const found = split ? await readShardMetadata(tables, dataset, split, shard) : null;
	const rows = [...(found?.rows ?? [])].filter(([path]) => found?.chosen?.has(path) !== false);
	const unknown = compareMetadata(known, new Map(rows), dataset, (change, path, columns) => {
		addTo(changes[change], { shard, key: { image_path: path }, columns }, limit);
	});
	if (unknown > 0) {
		const why = "rows in quarantine; what the metadata said of them is not recorded";
		diff.unknown.push({ shard, what: "rows", count: unknown, why });
	} else if (total(diff) === before) {
		const names = found?.unknownColumns.join(", ") || "none now";
		const rest = found?.chosen ? "no chosen row differs; others do, or" : "no row differs;";
		const why = `${rest} columns that are not published came or went: ${names}`;
		diff.unknown.push({ shard, what: "columns", count: null, why });
	}
}

function total({ rows: { metadata } }: Diff): number {
	return metadata ? metadata.added.count + metadata.removed.count + metadata.changed.count : 0;
}
