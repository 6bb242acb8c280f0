import { LakeError } from "../../../schemas/errors.js";
import type { Column, ColumnType, TableRow } from "../../../schemas/tables.js";
import {
	BIGINT,
	DOUBLE,
	type DuckDBConnection,
	DuckDBDataChunk,
	DuckDBListValue,
	DuckDBStructValue,
	DuckDBTimestampTZValue,
	type DuckDBType,
	type DuckDBValue,
	FLOAT,
	INTEGER,
	LIST,
	STRUCT,
	TIMESTAMPTZ,
	TINYINT,
	VARCHAR,
} from "./node-api.js";

/** Most rows that a chunk holds: DuckDB's vector size. */
const CHUNK_ROWS = 2048;
const TEMP = "rows_to_write";
/** The column that the file is ordered by, and that is not written; no table has one of this name. */
const ORDER = "irlake_row";

/**
 * Writes rows, in their order, as parquet: `target` is the file's path as an SQL literal. The rows go into a temporary
 * table of this connection, numbered, and are copied out ordered by that number, so that the bytes depend on the rows
 * alone (docs/decisions/0003-parquet-bytes.md). Lone surrogates in texts become U+FFFD.
 *
 * Throws INTERNAL for a row that lacks a column, or has a value that the column cannot hold.
 */
export async function writeTable(
	connection: DuckDBConnection,
	columns: readonly Column[],
	rows: Iterable<TableRow>,
	target: string,
): Promise<void> {
	const names = columns.map(({ name }) => `"${name}"`).join(", ");
	const defined = columns.map(({ name, type }) => `"${name}" ${duckType(type)}`).join(", ");
	await connection.run(`CREATE TEMP TABLE ${TEMP} (${defined}, ${ORDER} BIGINT)`);
	await appendRows(connection, columns, rows);
	const select = `SELECT ${names} FROM ${TEMP} ORDER BY ${ORDER}`;
	await connection.run(`COPY (${select}) TO ${target} (FORMAT parquet, COMPRESSION zstd)`);
}

async function appendRows(
	connection: DuckDBConnection,
	columns: readonly Column[],
	rows: Iterable<TableRow>,
): Promise<void> {
	const types = [...columns.map(({ type }) => duckType(type)), BIGINT];
	const appender = await connection.createAppender(TEMP);
	let first = 0n;
	let batch: TableRow[] = [];
	const append = () => {
		if (batch.length === 0) return;
		const chunk = DuckDBDataChunk.create(types);
		const values = columns.map((column) => batch.map((row) => cellValue(row[column.name], column)));
		const start = first;
		chunk.setColumns([...values, batch.map((_, i) => start + BigInt(i))]);
		appender.appendDataChunk(chunk);
		first += BigInt(batch.length);
		batch = [];
	};
	try {
		for (const row of rows) {
			batch.push(row);
			if (batch.length === CHUNK_ROWS) append();
		}
		append();
	} finally {
		appender.closeSync();
	}
}

function duckType(type: ColumnType): DuckDBType {
	if (typeof type === "object") {
		return LIST(STRUCT(Object.fromEntries(type.list.map((field) => [field.name, duckType(field.type)]))));
	}
	return DUCK_TYPES[type];
}

const DUCK_TYPES = {
	text: VARCHAR,
	byte: TINYINT,
	integer: INTEGER,
	long: BIGINT,
	real: FLOAT,
	double: DOUBLE,
	timestamp: TIMESTAMPTZ,
	texts: LIST(VARCHAR),
};

/** Values from -limit up to below it fit; the client would wrap others round without a word. */
const LIMITS = { byte: 2 ** 7, integer: 2 ** 31, long: 2 ** 53, timestamp: 2 ** 53 };

/** A cell as DuckDB's client takes it. Also checks: nothing else stands between a wrong cell and the file. */
function cellValue(cell: unknown, { name, type }: Column): DuckDBValue {
	if (cell === null) return null;
	if (typeof type === "object") {
		if (Array.isArray(cell) && cell.every(isStruct)) {
			return new DuckDBListValue(cell.map((item) => structValue(item, type.list)));
		}
	} else if (type === "text") {
		if (typeof cell === "string") return cell;
	} else if (type === "texts") {
		if (Array.isArray(cell)) return new DuckDBListValue(cell.map((item) => cellValue(item, { name, type: "text" })));
	} else if (typeof cell === "number") {
		if (type === "double") return cell;
		if (type === "real") {
			if (fitsReal(cell)) return cell;
		} else if (Number.isSafeInteger(cell) && fits(cell, LIMITS[type])) {
			if (type === "timestamp") return new DuckDBTimestampTZValue(BigInt(cell));
			return type === "long" ? BigInt(cell) : cell;
		}
	}
	const what = typeof type === "object" ? "list" : type;
	throw new LakeError("INTERNAL", `A row has no ${what} in the column ${name}.`);
}

function fits(value: number, limit: number): boolean {
	return value >= -limit && value < limit;
}

/** Whether 32 bits hold it, perhaps rounded; the client would make it infinite without a word. */
function fitsReal(value: number): boolean {
	return !Number.isFinite(value) || Number.isFinite(Math.fround(value));
}

function isStruct(item: unknown): item is Record<string, unknown> {
	return typeof item === "object" && item !== null && !Array.isArray(item);
}

function structValue(struct: Record<string, unknown>, fields: readonly Column[]): DuckDBValue {
	return new DuckDBStructValue(
		Object.fromEntries(fields.map((field) => [field.name, cellValue(struct[field.name], field)])),
	);
}
