import type { Receipt } from "../../schemas/records.js";
import { shardParts } from "../datasets/dataset.js";
import type { StoredSnapshot } from "../lake.js";
import { readShardMetadata, type SplitMetadata } from "../mirror/metadata.js";
import { changesOf, knownRows, planShards, requireListed, type ShardPlan } from "../mirror/plan.js";
import { commitDatesOf, type MetadataTools, readMetadata, splitsOf } from "../mirror/plan-mirror.js";
import type { Listing, LooseFile } from "../ports.js";
import { byCodePoint } from "../text.js";
import { type DiffTools, shardReceipts, snapshotSide } from "./diff-snapshots.js";
import { compareMetadata, type LakeShard, readLakeShard } from "./metadata-rows.js";
import { type Diff, type ImageBytes, noChanges, note, type ShardChange, type Side } from "./types.js";

export type DiffSourceTools = DiffTools & MetadataTools;

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
	const { settings } = snapshot;
	// Which loose files are in the lake is told by the metadata, where a predicate chooses them.
	const unpacked = listed.some((shard) => listing.shards.get(shard)?.form === "unpacked");
	const told = settings.where !== null && unpacked ? null : knownRows(snapshot, byWorkId, listing, listed);
	const metadata = told ? new Map() : await readMetadata(splits, listing, settings, tools, signal, new Set(splits));
	const rowsSha256 = told ?? new Map([...metadata.values()].flatMap((split: SplitMetadata) => [...split.rowsSha256]));
	const plans = planShards({
		...{ dataset, wanted: listed, listing, rowsSha256, settings, base: snapshot },
		...{ selections: new Map(), remote: new Set<string>() },
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
		await compareShard(diff, shard, receipts.get(shard), planned.get(shard), metadata, tools);
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

/** Rows by the metadata; pictures by their files, where the source is unpacked. */
async function compareShard(
	diff: Diff,
	shard: string,
	old: Receipt | undefined,
	plan: ShardPlan | undefined,
	metadata: Map<string, SplitMetadata>,
	tools: DiffSourceTools,
): Promise<void> {
	const prefix = tools.dataset.rowPrefix(shard);
	const lake = old ? await readLakeShard(old, prefix, tools) : { rows: new Map(), members: new Map() };
	if (plan?.metadataRowsSha256 !== old?.inputs.metadata_rows_sha256) {
		await compareRows(diff, shard, lake, plan ? metadata : new Map(), tools);
	}
	if (plan?.input.form === "zip") {
		if (old && changesOf(old, { ...plan, inputSha256: plan.input.sha256 }, old.settings)[0] !== "zip changed") return;
		const why = old ? "the zip has another SHA-256; its images are known once it is downloaded" : "not downloaded";
		diff.unknown.push({ shard, what: "images", count: old ? old.counts.members_in : null, why });
		return;
	}
	const chosen = metadata.get(shardParts(shard).split)?.selections?.get(shard)?.chosen;
	// What a predicate does not choose was never in the lake.
	const files = (plan?.input.files ?? []).filter(({ name }) => {
		return !chosen || chosen.has(`${prefix}${name}`) || lake.members.has(name);
	});
	compareMembers(diff, prefix, lake, files, tools.limit);
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
	const rows = [...(found?.rows ?? [])].filter(([path]) => found?.chosen?.has(path) !== false);
	const untold = compareMetadata(shard, known, new Map(rows), changes, limit);
	if (untold > 0) {
		const why = "rows in quarantine; what the metadata said of them is not recorded";
		diff.unknown.push({ shard, what: "rows", count: untold, why });
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

/** Pictures of an unpacked shard; of one that is gone, there are no files. */
function compareMembers(diff: Diff, prefix: string, { members }: LakeShard, files: LooseFile[], limit: number): void {
	const now = new Map(files.map(({ name, sha256 }) => [name, sha256]));
	for (const name of [...new Set([...members.keys(), ...now.keys()])].sort(byCodePoint)) {
		const old = members.get(name);
		const sha256 = now.get(name);
		if (old?.sha256 === sha256) continue;
		const before: ImageBytes | null = old ? { object_key: old.object_key, source_sha256: old.sha256 } : null;
		const after: ImageBytes | null = sha256 === undefined ? null : { object_key: null, source_sha256: sha256 };
		const change = !before ? "added" : !after ? "removed" : "changed";
		note(diff.images[change], { image_path: `${prefix}${name}`, before, after }, limit);
	}
}
