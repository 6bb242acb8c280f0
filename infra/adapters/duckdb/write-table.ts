import {
	BIGINT,
	type DuckDBConnection,
	DuckDBDataChunk,
	DuckDBListValue,
	DuckDBStructValue,
	type DuckDBType,
	type DuckDBValue,
	INTEGER,
	LIST,
	STRUCT,
	TINYINT,
	VARCHAR,
} from "@duckdb/node-api";
import { LakeError } from "../../../schemas/errors.js";
import {
	type Column,
	type ColumnType,
	PROMPT_IMAGE_FIELDS,
	type PromptImage,
	type TableRow,
} from "../../../schemas/tables.js";

/** Most rows that a chunk holds: DuckDB's vector size. */
const CHUNK_ROWS = 2048;
const TEMP = "rows_to_write";
/** The column that the file is ordered by, and that is not written; no table has one of this name. */
const ORDER = "irlake_row";

const PROMPT_IMAGE = STRUCT(Object.fromEntries(PROMPT_IMAGE_FIELDS.map(({ name, type }) => [name, duckType(type)])));

/**
 * Writes rows, in their order, as parquet: `target` is the file's path as an SQL literal. The rows go into a temporary
 * table of this connection, numbered, and are copied out ordered by that number, so that the bytes depend on the rows
 * alone (docs/decisions/0003-parquet-bytes.md). Lone surrogates in texts become U+FFFD.
 *
 * Throws INTERNAL for a row that lacks a column, or has a value that the column cannot hold.
 */
export async function writeTable(
	connection: DuckDBConnection,
	columns: Column[],
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

async function appendRows(connection: DuckDBConnection, columns: Column[], rows: Iterable<TableRow>): Promise<void> {
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
	switch (type) {
		case "text":
			return VARCHAR;
		case "byte":
			return TINYINT;
		case "integer":
			return INTEGER;
		case "long":
			return BIGINT;
		case "texts":
			return LIST(VARCHAR);
		case "prompt_images":
			return LIST(PROMPT_IMAGE);
	}
}

/** Values from -limit up to below it fit; the client would wrap others round without a word. */
const LIMITS = { byte: 2 ** 7, integer: 2 ** 31, long: 2 ** 53 };

/** A cell as DuckDB's client takes it. Also checks: nothing else stands between a wrong cell and the file. */
function cellValue(cell: unknown, column: Column): DuckDBValue {
	if (cell === null) return null;
	switch (column.type) {
		case "text":
			if (typeof cell === "string") return cell;
			break;
		case "byte":
		case "integer":
		case "long":
			if (Number.isSafeInteger(cell) && typeof cell === "number" && fits(cell, LIMITS[column.type])) {
				return column.type === "long" ? BigInt(cell) : cell;
			}
			break;
		case "texts":
			if (Array.isArray(cell)) {
				return new DuckDBListValue(cell.map((item) => cellValue(item, { name: column.name, type: "text" })));
			}
			break;
		case "prompt_images":
			if (Array.isArray(cell)) return new DuckDBListValue(cell.map((item) => promptImage(item)));
			break;
	}
	throw new LakeError("INTERNAL", `A row has no ${column.type} in the column ${column.name}.`);
}

function fits(value: number, limit: number): boolean {
	return value >= -limit && value < limit;
}

function promptImage(image: PromptImage): DuckDBValue {
	const fields = PROMPT_IMAGE_FIELDS.map((field) => {
		return [field.name, cellValue(image[field.name as keyof PromptImage], field)] as const;
	});
	return new DuckDBStructValue(Object.fromEntries(fields));
}
