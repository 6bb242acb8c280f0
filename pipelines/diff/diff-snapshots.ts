import { join } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import type { Receipt, Snapshot, TableFile } from "../../schemas/records.js";
import { TABLE_NAMES, TABLES, type TableName } from "../../schemas/tables.js";
import { type Dataset, inDatasetOrder } from "../dataset.js";
import { localTable } from "../lake/local-table.js";
import type { StoredSnapshot } from "../lake/snapshot.js";
import { changesOf, inputSha256 } from "../mirror/plan/decide.js";
import { receiptsOf } from "../mirror/plan/plan-mirror.js";
import type { Store } from "../ports/store.js";
import type { PlainRow, RowDifference, TableFiles } from "../ports/tables.js";
import { addTo, noChanges, valueChanges } from "./changes.js";
import type { Diff, ShardChange, Side } from "./diff.js";
import type { ImageBytes } from "./pictures.js";

export interface DiffTools {
	dataset: Dataset;
	store: Store;
	tables: TableFiles;
	/** This run's own folder, for tables of a remote lake. */
	work: string;
	/** How many changes of each kind are listed. */
	limit: number;
	/** Called with the number of shards to read, then `onShard` after each. */
	onShards(count: number): void;
	onShard(): void;
}

/** The columns that identify a row within its shard. */
const KEYS: Record<TableName, string[]> = {
	images: ["image_path"],
	prompts: ["prompt_id"],
	pairs: ["better_image_path", "worse_image_path"],
	quarantine: TABLES.quarantine.map(({ name }) => name),
};

/** Receipts of a snapshot, by shard. Throws LAKE_DAMAGED if one is missing. */
export async function shardReceipts(store: Store, snapshot: Snapshot): Promise<Map<string, Receipt>> {
	const found = await receiptsOf(
		store,
		snapshot.shards.map(({ receipt }) => receipt),
	);
	const receipts = snapshot.shards.map(({ shard, work_id, receipt: path }) => {
		const receipt = found.get(work_id);
		if (receipt) return [shard, receipt] as const;
		throw new LakeError("LAKE_DAMAGED", `The receipt ${path} is missing in ${store.name}.`, { path });
	});
	return new Map(receipts);
}

export function snapshotSide({ path, snapshot }: StoredSnapshot): Side {
	const { uri, revision, commit, committed_at } = snapshot.source;
	const skipped = snapshot.skipped.map(({ shard }) => shard);
	return { what: "snapshot", number: snapshot.number, snapshot: path, uri, revision, commit, committed_at, skipped };
}

/**
 * Compares two snapshots of a lake. Reads only the tables whose files differ.
 * Throws LAKE_DAMAGED, naming the record or file that is missing or damaged.
 */
export async function diffSnapshots(
	before: StoredSnapshot,
	after: StoredSnapshot,
	tools: DiffTools,
	signal: AbortSignal,
): Promise<Diff> {
	const old = await shardReceipts(tools.store, before.snapshot);
	const now = await shardReceipts(tools.store, after.snapshot);
	const rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, noChanges()])) as Diff["rows"];
	const shards = shardChanges(tools.dataset, old, now);
	const diff: Diff = {
		equal: false,
		before: snapshotSide(before),
		after: snapshotSide(after),
		settings: valueChanges(before.snapshot.settings, after.snapshot.settings),
		shards,
		rows,
		images: noChanges(),
		counts: valueChanges(before.snapshot.counts, after.snapshot.counts),
		findings: valueChanges(findingsOf(old), findingsOf(now)).sort((a, b) => (a.name < b.name ? -1 : 1)),
		unknown: [],
	};
	tools.onShards(shards.length);
	for (const { shard } of shards) {
		for (const table of TABLE_NAMES) {
			signal.throwIfAborted();
			await compareTable(diff, { shard, table }, [old.get(shard), now.get(shard)], tools);
		}
		tools.onShard();
	}
	diff.equal = diff.settings.length + shards.length + diff.counts.length === 0;
	return diff;
}

/** Which shards were added, removed or made again, and why. */
function shardChanges(dataset: Dataset, old: Map<string, Receipt>, now: Map<string, Receipt>): ShardChange[] {
	const names = inDatasetOrder(dataset, new Set([...old.keys(), ...now.keys()]));
	return names.flatMap((shard): ShardChange[] => {
		const [before, after] = [old.get(shard), now.get(shard)];
		if (before?.work_id === after?.work_id) return [];
		const ids = { before: before?.work_id ?? null, after: after?.work_id ?? null };
		if (!before || !after) return [{ shard, change: before ? "removed" : "added", why: [], ...ids }];
		const inputs = { inputSha256: inputSha256(after), metadataRowsSha256: after.inputs.metadata_rows_sha256 };
		return [{ shard, change: "changed", why: changesOf(before, inputs, after.settings), ...ids }];
	});
}

function findingsOf(receipts: Map<string, Receipt>): Record<string, number> {
	const sums: Record<string, number> = {};
	for (const { findings } of receipts.values()) {
		for (const [code, count] of Object.entries(findings)) sums[code] = (sums[code] ?? 0) + (count ?? 0);
	}
	return sums;
}

/** A table of a shard. */
interface TablePlace {
	shard: string;
	table: TableName;
}

async function compareTable(
	diff: Diff,
	place: TablePlace,
	receipts: [before: Receipt | undefined, after: Receipt | undefined],
	{ tables, store, work, limit }: DiffTools,
): Promise<void> {
	const { table } = place;
	const [old, now] = receipts.map((receipt) => receipt?.files.find((file) => file.table === table));
	if (old?.sha256 === now?.sha256) return;
	const local = (file: TableFile | undefined, name: string): Promise<string> | null =>
		file ? localTable(file, store, join(work, `${name}.parquet`)) : null;
	const [from, to] = [await local(old, "before"), await local(now, "after")];
	for await (const batch of tables.differences(table, KEYS[table], from, to)) {
		for (const row of batch) {
			addRow(diff, place, row, limit);
			if (table === "images") addImage(diff, row, limit);
		}
	}
}

function addRow(diff: Diff, { shard, table }: TablePlace, { before, after }: RowDifference, limit: number): void {
	const change = !before ? "added" : !after ? "removed" : "changed";
	const row = after ?? before ?? {};
	const key = Object.fromEntries(KEYS[table].map((column) => [column, row[column] ?? null]));
	const columns = before && after ? valueChanges(before, after) : [];
	const changes = diff.rows[table];
	if (changes) addTo(changes[change], { shard, key, columns }, limit);
}

/** A row can change while its image does not. */
function addImage(diff: Diff, { before, after }: RowDifference, limit: number): void {
	const bytes = (row: PlainRow | null): ImageBytes | null =>
		row && {
			object_key: String(row.object_key),
			source_sha256: String(row.source_sha256),
			source_bytes: Number(row.source_bytes),
			crc32: String(row.crc32),
		};
	const image = { image_path: String((after ?? before)?.image_path), before: bytes(before), after: bytes(after) };
	if (!image.before) addTo(diff.images.added, image, limit);
	else if (!image.after) addTo(diff.images.removed, image, limit);
	else if (valueChanges({ ...image.before }, { ...image.after }).length > 0) addTo(diff.images.changed, image, limit);
}
