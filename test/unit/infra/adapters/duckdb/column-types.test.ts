import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { DuckDBInstance } from "../../../../../infra/adapters/duckdb/node-api.js";
import { openTableFiles } from "../../../../../infra/adapters/duckdb/table-files.js";
import type { PlainRow, RowDifference, TableFiles } from "../../../../../pipelines/ports/tables.js";
import { columns, type Table, type TableRow } from "../../../../../schemas/tables.js";
import { tempDir } from "../../../../support/root.js";

/** Floating point, moments and lists come back from a file as they were written, and differ where they do. */

const TABLE: Table = {
	name: "measured",
	key: ["id"],
	columns: [
		...columns("text", "id"),
		...columns("real", "score"),
		...columns("double", "exact"),
		...columns("timestamp", "seen"),
		{
			name: "parts",
			type: { list: [...columns("text", "name"), ...columns("real", "weight"), ...columns("long", "bytes")] },
		},
	],
};
const NAMES = TABLE.columns.map(({ name }) => name);

/** 2022-08-01 00:00 UTC, in microseconds. */
const AUGUST = Date.UTC(2022, 7, 1) * 1000;

const ROW = { id: "a", score: 0.5, exact: 0.1, seen: AUGUST, parts: [{ name: "x", weight: 1.5, bytes: 7 }] };
const NOTHING = { id: "nothing", score: null, exact: null, seen: null, parts: null };

let local: ReturnType<typeof tempDir>;
let tables: TableFiles;

beforeEach(async () => {
	local = tempDir("duckdb-types");
	tables = await openTableFiles({ spill: join(local.path, "spill") });
});
afterEach(async () => {
	await tables.close();
	local.remove();
});

const file = (name: string) => join(local.path, `${name}.parquet`);

async function all<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
	const rows: T[] = [];
	for await (const batch of batches) rows.push(...batch);
	return rows;
}

async function write(name: string, rows: TableRow[]): Promise<string> {
	await tables.write(TABLE, rows, file(name));
	return file(name);
}

async function differences(before: TableRow[], after: TableRow[]): Promise<RowDifference[]> {
	return all(tables.differences(TABLE, await write("before", before), await write("after", after)));
}

describe("written and read", () => {
	test("each column has its type", async () => {
		expect(await tables.columns(await write("t", [ROW]))).toEqual([
			{ name: "id", type: "VARCHAR" },
			{ name: "score", type: "FLOAT" },
			{ name: "exact", type: "DOUBLE" },
			{ name: "seen", type: "TIMESTAMP WITH TIME ZONE" },
			{ name: "parts", type: 'STRUCT("name" VARCHAR, weight FLOAT, bytes BIGINT)[]' },
		]);
	});

	test("numbers as they were, those of 32 bits as the nearest that there is", async () => {
		const numbers = [0, 0.1, -1 / 3, 1e-30, 3.4e38, 16_777_217];
		const rows = numbers.map((number, at) => ({ ...ROW, id: `${at}`, score: number, exact: number }));
		const read = await all(tables.read(await write("t", rows), ["score", "exact"]));
		expect(read).toEqual(numbers.map((number) => ({ score: Math.fround(number), exact: number })));
	});

	test("the ends of 64 bits", async () => {
		const ends = [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE];
		const path = await write(
			"t",
			ends.map((exact, at) => ({ ...ROW, id: `${at}`, exact })),
		);
		expect((await all(tables.read(path, ["exact"]))).map(({ exact }) => exact)).toEqual(ends);
	});

	test("moments to the microsecond, before 1970 too", async () => {
		const moments = [AUGUST, AUGUST + 1, 0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
		const path = await write(
			"t",
			moments.map((seen, at) => ({ ...ROW, id: `${at}`, seen })),
		);
		expect((await all(tables.read(path, ["seen"]))).map(({ seen }) => seen)).toEqual(moments);
	});

	test("a moment as every reader of parquet has it", async () => {
		const path = await write("t", [ROW]);
		const instance = await DuckDBInstance.create(":memory:");
		const connection = await instance.connect();
		const read = await connection.runAndReadAll(`SELECT seen = TIMESTAMPTZ '2022-08-01 00:00:00+00' FROM '${path}'`);
		expect(read.getRows()).toEqual([[true]]);
		connection.closeSync();
		instance.closeSync();
	});

	test("lists as text, empty ones and nulls inside among them", async () => {
		const lists = [ROW.parts, [], [{ name: null, weight: null, bytes: null }], [...ROW.parts, ...ROW.parts]];
		const path = await write(
			"t",
			lists.map((parts, at) => ({ ...ROW, id: `${at}`, parts })),
		);
		const part = "{'name': x, 'weight': 1.5, 'bytes': 7}";
		expect((await all(tables.read(path, ["parts"]))).map(({ parts }) => parts)).toEqual([
			`[${part}]`,
			"[]",
			"[{'name': NULL, 'weight': NULL, 'bytes': NULL}]",
			`[${part}, ${part}]`,
		]);
	});

	test("nulls as nulls", async () => {
		expect(await all(tables.read(await write("t", [NOTHING]), NAMES))).toEqual([NOTHING]);
	});
});

describe("two files of one table", () => {
	test("with the same rows differ in none", async () => {
		expect(await differences([ROW, NOTHING], [NOTHING, ROW])).toEqual([]);
	});

	test.each<[string, Partial<typeof ROW>, PlainRow]>([
		["score", { score: 0.75 }, { score: 0.75 }],
		["exact", { exact: 0.1 + Number.EPSILON }, { exact: 0.1 + Number.EPSILON }],
		["seen", { seen: AUGUST + 1 }, { seen: AUGUST + 1 }],
		["parts", { parts: [{ name: "x", weight: 1.5, bytes: 8 }] }, { parts: "[{'name': x, 'weight': 1.5, 'bytes': 8}]" }],
	])("differ where %s does, and tell both", async (_, changed, told) => {
		const before = { ...ROW, parts: "[{'name': x, 'weight': 1.5, 'bytes': 7}]" };
		expect(await differences([ROW, NOTHING], [{ ...ROW, ...changed }, NOTHING])).toEqual([
			{ before, after: { ...before, ...told } },
		]);
	});

	test.each(["score", "exact", "seen", "parts"] as const)("differ where %s is null in one of them", async (name) => {
		const [found, ...more] = await differences([ROW], [{ ...ROW, [name]: null }]);
		expect(more).toEqual([]);
		expect(found?.before?.[name]).not.toBeNull();
		expect(found?.after?.[name]).toBeNull();
	});

	test("tell the rows of a file that is alone", async () => {
		const path = await write("t", [ROW]);
		const row = { ...ROW, parts: "[{'name': x, 'weight': 1.5, 'bytes': 7}]" };
		expect(await all(tables.differences(TABLE, null, path))).toEqual([{ before: null, after: row }]);
		expect(await all(tables.differences(TABLE, path, null))).toEqual([{ before: row, after: null }]);
	});
});

describe("a value that its column cannot hold is refused, and no file stays", () => {
	test.each<[string, Record<string, unknown>, string]>([
		["a text for a number", { score: "0.5" }, "no real in the column score"],
		["a number beyond 32 bits", { score: 1e300 }, "no real in the column score"],
		["a null among structs", { parts: [null] }, "no list in the column parts"],
		["a truth for a number", { exact: true }, "no double in the column exact"],
		["a moment between two microseconds", { seen: 0.5 }, "no timestamp in the column seen"],
		["a moment as text", { seen: "2022-08-01" }, "no timestamp in the column seen"],
		["a moment beyond what is safe", { seen: 2 ** 53 }, "no timestamp in the column seen"],
		["a text for a list", { parts: "x" }, "no list in the column parts"],
		["a number in a list's text", { parts: [{ ...ROW.parts[0], name: 5 }] }, "no text in the column name"],
		["a list's struct that lacks a field", { parts: [{ name: "x", weight: 1 }] }, "no long in the column bytes"],
	])("%s", async (_, wrong, told) => {
		const rows = [ROW, { ...ROW, ...wrong } as TableRow];
		await expect(tables.write(TABLE, rows, file("wrong"))).rejects.toMatchObject({
			code: "INTERNAL",
			message: `A row has ${told}.`,
		});
		expect(existsSync(file("wrong"))).toBe(false);
	});
});
