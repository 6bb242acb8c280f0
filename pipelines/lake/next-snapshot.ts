import { LakeError } from "../../schemas/errors.js";
import { LAKE_FORMAT, type Receipt, type Snapshot, type TableFile } from "../../schemas/records.js";
import type { Settings } from "../../schemas/settings.js";
import type { Dataset } from "../dataset.js";
import { inDatasetOrder, shardParts, subsetOf } from "../shards.js";
import { splitsOf } from "../splits.js";
import { receiptFile } from "./paths.js";
import { sumCounts } from "./receipt.js";
import { tablesOf } from "./tables.js";

/** What one run brings to a snapshot. Plain data. */
export interface RunResult {
	dataset: Dataset;
	source: Omit<Snapshot["source"], "metadata">;
	/** Metadata read in this run, of any split, with what lay in no shard. */
	metadata: { split: string; path: string; sha256: string; bytes: number; strayRows: number }[];
	settings: Settings;
	/** Shards found or made in this run. */
	receipts: Receipt[];
	skipped: Snapshot["skipped"];
	/** Whether shards of the base that this run does not name are dropped. */
	prune: boolean;
}

/**
 * The snapshot that follows `base`, or null when no work id changes. Pure.
 * @throws LAKE_DAMAGED when a shard that stays has no receipt
 * @param receipts of every shard that stays in the lake, by work id
 * @param keep shards of the base that this run must not replace
 */
export function nextSnapshot(
	base: Snapshot | null,
	run: RunResult,
	receipts: Map<string, Receipt>,
	keep: Set<string>,
): Snapshot | null {
	const shards = new Map((run.prune ? [] : (base?.shards ?? [])).map((shard) => [shard.shard, shard]));
	for (const receipt of run.receipts) {
		const old = base?.shards.find(({ shard }) => shard === receipt.shard);
		if (old && keep.has(receipt.shard)) {
			shards.set(receipt.shard, old);
			continue;
		}
		shards.set(receipt.shard, {
			shard: receipt.shard,
			work_id: receipt.work_id,
			receipt: receiptFile.path(receipt.shard, receipt.work_id),
			commit: run.source.commit,
		});
	}
	if (sameWork(base, shards)) return null;
	const order = inDatasetOrder(run.dataset, shards.keys());
	const entries = order.flatMap((name) => shards.get(name) ?? []);
	const present = entries.map(({ work_id, receipt }) => receipts.get(work_id) ?? missing(receipt));
	const number = (base?.number ?? 0) + 1;
	return {
		format: LAKE_FORMAT,
		number,
		dataset: run.dataset.name,
		subset: subsetOf(run.dataset, order),
		source: { ...run.source, metadata: metadataFiles(base, run, order) },
		settings: run.settings,
		shards: entries,
		skipped: skippedShards(base, run),
		tables: tableFiles(run.dataset, present, number),
		counts: {
			...sumCounts(present),
			shards: entries.length,
			metadata_stray_rows: run.metadata
				.filter(({ split }) => order.some((shard) => shardParts(shard).split === split))
				.reduce((sum, { strayRows }) => sum + strayRows, 0),
		},
	};
}

/** A shard whose receipt is gone would lose its tables in silence. */
function missing(path: string): never {
	throw new LakeError("LAKE_DAMAGED", `${path} is missing from the lake, so its shard cannot be published again.`, {
		path,
		hint: "Mirror that shard too: its receipt is then written anew. irlake verify shows what else is missing.",
	});
}

function sameWork(base: Snapshot | null, shards: Map<string, Snapshot["shards"][number]>): boolean {
	const before = base?.shards ?? [];
	if (base === null) return shards.size === 0;
	return before.length === shards.size && before.every(({ shard, work_id }) => shards.get(shard)?.work_id === work_id);
}

/** Of every split present: as read in this run, else as the base has it. */
function metadataFiles(base: Snapshot | null, run: RunResult, shards: string[]): Snapshot["source"]["metadata"] {
	return splitsOf(run.dataset, shards).flatMap((split) => {
		const read = run.metadata.find((file) => file.split === split);
		if (read) return { split, path: read.path, sha256: read.sha256, bytes: read.bytes };
		return base?.source.metadata.find((file) => file.split === split) ?? [];
	});
}

/** What this run skipped, and what an earlier one did where this one did not look. */
function skippedShards(base: Snapshot | null, run: RunResult): Snapshot["skipped"] {
	const skipped = new Map<string, Snapshot["skipped"][number]>();
	if (!run.prune) for (const one of base?.skipped ?? []) skipped.set(one.shard, one);
	for (const receipt of run.receipts) skipped.delete(receipt.shard);
	for (const one of run.skipped) skipped.set(one.shard, one);
	return inDatasetOrder(run.dataset, skipped.keys()).flatMap((shard) => skipped.get(shard) ?? []);
}

function tableFiles(dataset: Dataset, receipts: Receipt[], number: number): Snapshot["tables"] {
	const files = new Map<string, TableFile[]>(tablesOf(dataset).map(({ name }) => [name, []]));
	for (const receipt of receipts) {
		for (const { table, ...file } of receipt.files) files.get(table)?.push(file);
	}
	const tables = [...files].map(([table, own]) => [table, { delta_version: number - 1, files: own }] as const);
	return Object.fromEntries(tables);
}
