import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { DuckDBInstance } from "../../../../../infra/adapters/duckdb/node-api.js";
import { openTableFiles } from "../../../../../infra/adapters/duckdb/table-files.js";
import type { MetadataColumn, TableFiles } from "../../../../../pipelines/ports/tables.js";
import { tempDir } from "../../../../support/root.js";

/** Metadata tells floating point and moments in one form each, under the lake's names, whatever the file has. */

let local: ReturnType<typeof tempDir>;
let tables: TableFiles;

beforeEach(async () => {
	local = tempDir("duckdb-metadata-types");
	tables = await openTableFiles({ spill: join(local.path, "spill") });
});
afterEach(async () => {
	await tables.close();
	local.remove();
});

async function all<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
	const rows: T[] = [];
	for await (const batch of batches) rows.push(...batch);
	return rows;
}

/** 2022-08-01 00:00 UTC, in microseconds. */
const AUGUST = Date.UTC(2022, 7, 1) * 1000;

const COLUMNS: MetadataColumn[] = [
	{ name: "path", column: "image_name", type: "text" },
	{ name: "score", column: "cfg", type: "real" },
	{ name: "seen", column: "timestamp", type: "timestamp" },
	{ name: "part", column: "part_id", type: "integer" },
];

/** Written by another DuckDB, whose clock stands elsewhere. */
async function metadata(rows: string): Promise<string> {
	const path = join(local.path, "m.parquet");
	const instance = await DuckDBInstance.create(":memory:");
	const connection = await instance.connect();
	await connection.run("SET TimeZone = 'America/New_York'");
	await connection.run(`COPY (${rows}) TO '${path}' (FORMAT parquet)`);
	connection.closeSync();
	instance.closeSync();
	return path;
}

const row = (moment: string, cfg = "7.5::DOUBLE", part = "1::USMALLINT") =>
	`SELECT 'a.png' AS image_name, ${cfg} AS cfg, ${moment} AS timestamp, ${part} AS part_id`;

test.each([
	["a second", "TIMESTAMP_S '2022-08-01 00:00:00'"],
	["a millisecond", "TIMESTAMP_MS '2022-08-01 00:00:00'"],
	["a microsecond", "TIMESTAMP '2022-08-01 00:00:00'"],
	["a nanosecond", "TIMESTAMP_NS '2022-08-01 00:00:00'"],
	["a microsecond, of a time zone", "TIMESTAMPTZ '2022-07-31 20:00:00-04'"],
])("moments come in microseconds, whatever the width: %s", async (_, moment) => {
	expect(await all(tables.metadataRows(await metadata(row(moment)), COLUMNS, null))).toEqual([
		{ path: "a.png", score: 7.5, seen: AUGUST, part: 1 },
	]);
});

test("floating point may have either width, and nulls stay", async () => {
	const path = await metadata(row("NULL::TIMESTAMP", "0.1::FLOAT", "NULL::INTEGER"));
	expect(await all(tables.metadataRows(path, COLUMNS, null))).toEqual([
		{ path: "a.png", score: Math.fround(0.1), seen: null, part: null },
	]);
});

test("the rows of one number come alone, where that is asked for", async () => {
	const moment = "TIMESTAMP '2022-08-01 00:00:00'";
	const parts = [1, 2, 12, 2].map((part) => row(moment, `${part}.5`, `${part}::USMALLINT`));
	const path = await metadata(`${parts.join(" UNION ALL ")} UNION ALL ${row(moment, "0.5", "NULL")}`);
	const found = await all(tables.metadataRows(path, COLUMNS, { column: "part_id", equals: 2 }));
	expect(found.map(({ part }) => part)).toEqual([2, 2]);
	expect(await all(tables.metadataRows(path, COLUMNS, { column: "part_id", equals: 3 }))).toEqual([]);
});
