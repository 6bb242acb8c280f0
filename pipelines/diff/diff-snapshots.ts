import { join } from "node:path";
import type { Receipt, TableFile } from "../../schemas/records.js";
import type { Table } from "../../schemas/tables.js";
import type { Dataset } from "../dataset.js";
import { localTable } from "../lake/local-table.js";
import { inputSha256, snapshotReceipts, sumFindings } from "../lake/receipt.js";
import type { StoredSnapshot } from "../lake/snapshot.js";
import { IMAGES, tablesOf } from "../lake/tables.js";
import { changesOf } from "../mirror/plan/reasons.js";
import type { Reader } from "../ports/store.js";
import type { PlainRow, RowDifference, TableFiles } from "../ports/tables.js";
import { inDatasetOrder } from "../shards.js";
import { addTo, noChanges, valueChanges } from "./changes.js";
import type { Diff, ShardChange, Side } from "./diff.js";
import type { ImageBytes } from "./pictures.js";

export interface DiffTools {
	dataset: Dataset;
	store: Reader;
	tables: TableFiles;
	/** This run's own folder, for tables of a remote lake. */
	work: string;
	/** How many changes of each kind are listed. */
	limit: number;
	/** Called with the number of shards to read, then `onShard` after each. */
	onShards(count: number): void;
	onShard(): void;
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
	const old = await snapshotReceipts(tools.store, before.snapshot);
	const now = await snapshotReceipts(tools.store, after.snapshot);
	const allTables = tablesOf(tools.dataset);
	const rows: Diff["rows"] = Object.fromEntries(allTables.map(({ name }) => [name, noChanges()]));
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
		findings: valueChanges(sumFindings(findingsOf(old)), sumFindings(findingsOf(now))).sort((a, b) =>
			a.name < b.name ? -1 : 1,
		),
		unknown: [],
	};
	tools.onShards(shards.length);
	for (const { shard } of shards) {
		for (const table of allTables) {
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

function findingsOf(receipts: Map<string, Receipt>): Receipt["findings"][] {
	return [...receipts.values()].map(({ findings }) => findings);
}

/** A table of a shard. */
interface TablePlace {
	shard: string;
	table: Table;
}

async function compareTable(
	diff: Diff,
	{ shard, table }: TablePlace,
	receipts: [before: Receipt | undefined, after: Receipt | undefined],
	{ tables, store, work, limit }: DiffTools,
): Promise<void> {
	const [old, now] = receipts.map((receipt) => receipt?.files.find((file) => file.table === table.name));
	if (old?.sha256 === now?.sha256) return;
	const local = (file: TableFile | undefined, name: string): Promise<string> | null =>
		file ? localTable(file, store, join(work, `${name}.parquet`)) : null;
	const [from, to] = [await local(old, "before"), await local(now, "after")];
	for await (const batch of tables.differences(table, from, to)) {
		for (const row of batch) {
			addRow(diff, { shard, table }, row, limit);
			if (table.name === IMAGES) addImage(diff, row, limit);
		}
	}
}

function addRow(diff: Diff, { shard, table }: TablePlace, { before, after }: RowDifference, limit: number): void {
	const change = !before ? "added" : !after ? "removed" : "changed";
	const row = after ?? before ?? {};
	const key = Object.fromEntries(table.key.map((column) => [column, row[column] ?? null]));
	const columns = before && after ? valueChanges(before, after) : [];
	const changes = diff.rows[table.name];
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
