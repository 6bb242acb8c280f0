import { type Column, type ColumnType, PARTITION_COLUMNS, type Table } from "../../../schemas/tables.js";

/** What a table's columns must be to DuckDB and to Delta Lake; written down here once more, apart from what writes them. */

const DUCKDB: Record<ColumnType & string, string> = {
	text: "VARCHAR",
	byte: "TINYINT",
	integer: "INTEGER",
	long: "BIGINT",
	real: "FLOAT",
	double: "DOUBLE",
	timestamp: "TIMESTAMP WITH TIME ZONE",
	texts: "VARCHAR[]",
};

const DELTA: Record<ColumnType & string, unknown> = {
	text: "string",
	byte: "byte",
	integer: "integer",
	long: "long",
	real: "float",
	double: "double",
	timestamp: "timestamp",
	texts: { type: "array", elementType: "string", containsNull: true },
};

/** Columns by name, as DuckDB describes a file of the table. */
export function duckdbColumns({ columns }: Table): Record<string, string> {
	return Object.fromEntries(columns.map(({ name, type }) => [name, duckdbType(type)]));
}

function duckdbType(type: ColumnType): string {
	if (typeof type === "string") return DUCKDB[type];
	return `STRUCT(${type.list.map((field) => `${field.name} ${duckdbType(field.type)}`).join(", ")})[]`;
}

/** The schema in the table's log. */
export function deltaSchema({ columns }: Table): unknown {
	return { type: "struct", fields: [...columns, ...PARTITION_COLUMNS].map(deltaField) };
}

function deltaField({ name, type }: Column): unknown {
	return { name, type: typeof type === "string" ? DELTA[type] : deltaList(type.list), nullable: true, metadata: {} };
}

function deltaList(fields: readonly Column[]): unknown {
	return { type: "array", elementType: { type: "struct", fields: fields.map(deltaField) }, containsNull: true };
}
