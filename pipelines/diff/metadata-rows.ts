import { join } from "node:path";
import type { FindingCode } from "../../schemas/codes.js";
import type { Receipt } from "../../schemas/records.js";
import { type Dataset, lakeCell, publishedColumns, type SourceColumn } from "../dataset.js";
import { localTable } from "../lake/local-table.js";
import type { Reader } from "../ports/store.js";
import type { PlainRow, TableFiles } from "../ports/tables.js";
import { byCodePoint } from "../text.js";
import { type Change, type ValueChange, valueChanges } from "./changes.js";
import type { ImageBytes } from "./pictures.js";

/** Compares the metadata that a shard was made with, as far as the lake records it, with the source's. Needs no zip. */

/** A shard as the lake has it. */
export interface LakeShard {
	/**
	 * By image path: what the metadata said, in the lake's form; of a quarantined row only what its JSON tells too. Null
	 * where the lake does not hold what the metadata said.
	 */
	rows: Map<string, PlainRow | null>;
	/** Members, by name relative to the shard's folder. */
	members: Map<string, ImageBytes>;
}

/** Rows with one of these were never compared with the metadata, or the lake does not record all that differs. */
const UNRECORDED = new Set<FindingCode>(["ROW_SCHEMA", "ROW_PATH", "ROW_DUPLICATE", "ROW_DIFFERS_FROM_METADATA"]);
const IMAGE_COLUMNS = ["object_key", "source_sha256", "source_bytes", "crc32"] as const;
const QUARANTINE_COLUMNS = ["code", "image_path", "member", "row", "bytes", "sha256"];

/** Reads a shard's published and quarantined rows. Throws LAKE_DAMAGED. @param work this run's own folder */
export async function readLakeShard(
	{ files }: Receipt,
	prefix: string,
	{ dataset, store, tables, work }: { dataset: Dataset; store: Reader; tables: TableFiles; work: string },
): Promise<LakeShard> {
	const lake: LakeShard = { rows: new Map(), members: new Map() };
	const quarantined = new Map<string, PlainRow[]>();
	for (const file of files) {
		if (file.table !== "images" && file.table !== "quarantine") continue;
		const local = await localTable(file, store, join(work, `${file.table}.parquet`));
		const isImages = file.table === "images";
		const columns = isImages
			? [...publishedColumns(dataset).map(({ name }) => name), ...IMAGE_COLUMNS]
			: QUARANTINE_COLUMNS;
		for await (const batch of tables.read(local, columns)) {
			for (const row of batch) {
				if (isImages) addImage(lake, row, prefix);
				else addQuarantined(lake, quarantined, row);
			}
		}
	}
	for (const [path, findings] of quarantined) {
		if (!path.startsWith(prefix) || lake.rows.has(path)) continue;
		const codes = new Set(findings.map(({ code }) => code as FindingCode));
		if (codes.has("ROW_NOT_IN_METADATA")) continue;
		const unknown = [...codes].some((code) => UNRECORDED.has(code));
		const [row] = findings.flatMap(({ row: text }) => (typeof text === "string" ? [text] : []));
		if (row === undefined) continue;
		const fromMetadata = codes.has("METADATA_EXTRA_ROW");
		lake.rows.set(path, unknown ? null : quarantinedRow(dataset, JSON.parse(row), path, fromMetadata));
	}
	return lake;
}

/** Columns in which the lake can be held against the metadata. */
function comparedColumns({ columns }: Dataset): SourceColumn[] {
	return columns.filter(({ type, metadata }) => type !== null && metadata !== undefined);
}

/** @param row as quarantine has it: as the shard's JSON had it, else as the metadata had it */
function quarantinedRow(dataset: Dataset, row: unknown, path: string, fromMetadata: boolean): PlainRow {
	if (fromMetadata) {
		const cells = comparedColumns(dataset).map((column) => [column.name, lakeCell(column, row as PlainRow)] as const);
		return Object.fromEntries(cells);
	}
	// Rows by file name stand below it.
	const name = path.slice(path.lastIndexOf("/") + 1);
	const fields = (dataset.layout.json === "object" ? (row as Record<string, unknown>)[name] : row) as PlainRow;
	const cells = comparedColumns(dataset).flatMap(({ name: column, json }) => {
		const value = json?.read(fields[json.field]);
		return value === undefined ? [] : [[column, value] as const];
	});
	return Object.fromEntries(cells);
}

function addImage(lake: LakeShard, row: PlainRow, prefix: string): void {
	const path = String(row.image_path);
	lake.rows.set(path, row);
	const { object_key, source_sha256, source_bytes, crc32 } = row;
	lake.members.set(path.slice(prefix.length), {
		object_key: String(object_key),
		source_sha256: String(source_sha256),
		source_bytes: Number(source_bytes),
		crc32: String(crc32),
	});
}

function addQuarantined(lake: LakeShard, quarantined: Map<string, PlainRow[]>, row: PlainRow): void {
	const { image_path, member, bytes, sha256 } = row;
	if (typeof image_path === "string") quarantined.set(image_path, [...(quarantined.get(image_path) ?? []), row]);
	if (typeof member !== "string" || typeof sha256 !== "string" || lake.members.has(member)) return;
	const known = { object_key: null, source_sha256: sha256, crc32: null };
	lake.members.set(member, { ...known, source_bytes: typeof bytes === "number" ? bytes : null });
}

/**
 * Reports what the source's metadata adds, lacks or changes in one shard, by image path.
 * @returns how many rows cannot be compared
 */
export function compareMetadata(
	lake: Map<string, PlainRow | null>,
	source: Map<string, PlainRow[]>,
	dataset: Dataset,
	onChange: (change: Change, path: string, columns: ValueChange[]) => void,
): number {
	const compared = comparedColumns(dataset);
	let unknown = 0;
	for (const path of [...new Set([...lake.keys(), ...source.keys()])].sort(byCodePoint)) {
		const known = lake.get(path);
		const rows = source.get(path);
		if (known === null) unknown += 1;
		else if (known === undefined) onChange("added", path, []);
		else if (!rows) onChange("removed", path, []);
		else {
			// Of rows that contradict each other, the first that differs.
			const columns = rows.map((row) => differing(known, row, compared)).find((found) => found.length > 0);
			if (columns) onChange("changed", path, columns);
			else if (compared.some(({ name }) => known[name] === undefined)) unknown += 1;
		}
	}
	return unknown;
}

function differing(known: PlainRow, row: PlainRow, compared: SourceColumn[]) {
	const told = compared.filter(({ name }) => known[name] !== undefined);
	const before = told.map(({ name }) => [name, known[name]] as const);
	const after = told.map((column) => [column.name, lakeCell(column, row)] as const);
	return valueChanges(Object.fromEntries(before), Object.fromEntries(after));
}
