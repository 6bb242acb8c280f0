import { createRequire } from "node:module";

/**
 * What is used of DuckDB's package, loaded by `require`: `import` reads all its files for the names that they export
 * before it loads one, which costs each command a tenth of a second.
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
