import { createRequire } from "node:module";

/**
 * The parts of DuckDB's package that are used here, loaded by `require`: `import` would first read all its files for
 * their export names, which costs each command a tenth of a second.
 */
export const {
	BIGINT,
	BLOB,
	DOUBLE,
	DuckDBBlobValue,
	DuckDBDataChunk,
	DuckDBInstance,
	DuckDBListValue,
	DuckDBStructValue,
	DuckDBTimestampTZValue,
	FLOAT,
	INTEGER,
	LIST,
	STRUCT,
	TIMESTAMPTZ,
	TINYINT,
	VARCHAR,
	version,
} = createRequire(import.meta.url)("@duckdb/node-api") as typeof import("@duckdb/node-api");

export type DuckDBInstance = import("@duckdb/node-api").DuckDBInstance;
export type { DuckDBConnection, DuckDBResultReader, DuckDBType, DuckDBValue } from "@duckdb/node-api";
