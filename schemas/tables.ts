/** Tables of a lake: their columns, with types for DuckDB and Delta. */

export type ColumnType =
	| "text"
	/** Signed, 8, 32 and 64 bits. Unsigned values take the next wider type, since Delta has no unsigned ones. */
	| "byte"
	| "integer"
	| "long"
	/** Floating point, 32 and 64 bits. */
	| "real"
	| "double"
	/** Microseconds since 1970 UTC. */
	| "timestamp"
	| "texts"
	/** A list of structs with these fields. */
	| { list: readonly Column[] };

export interface Column {
	name: string;
	type: ColumnType;
}

export interface Table {
	name: string;
	/** Columns inside the parquet files, in order; the partition columns come after them. */
	columns: readonly Column[];
	/** Columns that identify a row within its shard. */
	key: readonly string[];
}

/** Several columns of one type. */
export function columns(type: ColumnType, ...names: string[]): Column[] {
	return names.map((name) => ({ name, type }));
}

/** Whether DuckDB's client returns a column's values as numbers. */
export function isNumeric(type: ColumnType): boolean {
	return typeof type === "string" && ["byte", "integer", "long", "real", "double"].includes(type);
}

/** Columns of `images` about an image's bytes, the same for every dataset. */
export const OBJECT_COLUMNS: readonly Column[] = [
	...columns("text", "object_key", "sha256"),
	...columns("long", "bytes"),
	...columns("text", "format"),
	...columns("integer", "width", "height"),
	...columns("text", "source_sha256"),
	...columns("long", "source_bytes"),
	...columns("integer", "source_width", "source_height"),
	...columns("text", "crc32", "pixel_sha256", "dhash"),
	...columns("texts", "warnings"),
];

export const PARTITION_COLUMNS: readonly Column[] = [
	{ name: "split", type: "text" },
	{ name: "shard", type: "integer" },
];

/** A single value. */
export type Scalar = string | number | null;

/** A dataset's values for one image, by the lake's column names. */
export type Row = Readonly<Record<string, Scalar>>;

export type Cell = Scalar | string[] | Record<string, Scalar>[];

/** One row of a table; keys are the table's columns. */
export type TableRow = Record<string, Cell>;
