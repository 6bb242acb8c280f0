import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import { Snapshot } from "../../schemas/records.js";
import { pinnedReader, pythonVerdict, recompute, requireOrSkip } from "../support/python.js";
import { ROOT, tempDir } from "../support/root.js";
import { runProgram } from "../support/run-program.js";
import { TABLE_NAMES, type TableName } from "../support/tables.js";
import { makeSample } from "../tools/sample/make.js";

/** A mirrored lake is a Delta lake to delta-rs, polars and DuckDB, at every version. */

const READERS = ["delta-rs", "polars", "duckdb"];
const perReader = <T>(value: z.ZodType<T>) => z.record(z.string(), value);
const TableRead = z.object({
	schema_ok: perReader(z.boolean()),
	schemas: perReader(z.array(z.string())),
	rows: perReader(z.int()),
	contents: perReader(z.string()),
	count: z.int(),
	newest: z.int(),
	vacuum: z.array(z.string()),
	by_shard: z.array(z.tuple([z.int(), z.int()])),
	by_filter: z.array(z.tuple([z.int(), z.int()])),
});
const TablesRead = z.object({ version: z.int(), tables: z.record(z.enum(TABLE_NAMES), TableRead) });
type TablesRead = z.infer<typeof TablesRead>;

const LogCheck = z.object({
	ok: z.boolean(),
	problems: z.array(z.string()),
	versions: z.record(z.enum(TABLE_NAMES), z.int()),
});

const describePython = await requireOrSkip();

describePython("a lake with four versions: a shard, another beside it, without that one again, and with it", () => {
	let temp: ReturnType<typeof tempDir>;
	let source: string;
	let lake: string;
	const snapshots: Snapshot[] = [];
	const read: TablesRead[] = [];

	async function irlake(...args: string[]): Promise<void> {
		const ended = await runProgram(process.execPath, [join(ROOT, "bin/irlake.js"), ...args, "--lake", lake, "--json"]);
		if (ended.code !== 0) throw new Error(`irlake ${args[0]} ended with ${ended.code}: ${ended.stdout}${ended.stderr}`);
	}

	beforeAll(async () => {
		temp = tempDir("delta-reader");
		source = join(temp.path, "source");
		lake = join(temp.path, "lake");
		const defect = { code: "IMAGE_EMPTY", shard: "test_2", variant: null } as const;
		await makeSample(source, { shards: ["test_1", "test_2"], images: 24, seed: 11, defect });
		const mirror = ["mirror", "--source", `file://${source}`, "--scratch", join(temp.path, "scratch"), "--shards"];
		await irlake(...mirror, "test_1");
		await irlake(...mirror, "test_2");
		await irlake("rollback", "1");
		await irlake("rollback", "2");
		for (const name of readdirSync(join(lake, "snapshots")).sort()) {
			snapshots.push(Snapshot.parse(JSON.parse(readFileSync(join(lake, "snapshots", name), "utf8"))));
		}
		for (const version of snapshots.keys()) {
			read.push(await pythonVerdict(TablesRead, "read_tables.py", [lake, "--version", String(version)]));
		}
	}, 300_000);

	afterAll(() => temp.remove());

	test("each snapshot is one version of each table", () => {
		expect(snapshots.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
		for (const { tables } of read) {
			for (const table of TABLE_NAMES) expect(tables[table].newest).toBe(3);
		}
	});

	test.each(TABLE_NAMES)("every reader sees the columns and types of %s", (table: TableName) => {
		for (const { tables } of read) {
			expect(tables[table].schemas).toEqual({});
			expect(tables[table].schema_ok).toEqual(Object.fromEntries(READERS.map((reader) => [reader, true])));
		}
	});

	test.each(TABLE_NAMES)("every reader reads as many rows of %s as each snapshot lists", (table: TableName) => {
		for (const [version, { tables }] of read.entries()) {
			const rows = (snapshots[version]?.tables[table]?.files ?? []).reduce((sum, file) => sum + file.rows, 0);
			expect(tables[table].rows).toEqual(Object.fromEntries(READERS.map((reader) => [reader, rows])));
		}
	});

	test.each(TABLE_NAMES)("every reader reads the same content of %s", (table: TableName) => {
		for (const { tables } of read) expect(new Set(Object.values(tables[table].contents)).size).toBe(1);
	});

	test("a rolled back version reads as the version it goes back to", () => {
		const contents = read.map(({ tables }) => tables.images.contents["delta-rs"]);
		expect(contents[2]).toBe(contents[0]);
		expect(contents[3]).toBe(contents[1]);
		expect(contents[0]).not.toBe(contents[1]);
	});

	test.each(TABLE_NAMES)("the log alone counts the rows of %s", (table: TableName) => {
		for (const { tables } of read) expect(tables[table].count).toBe(tables[table].rows["delta-rs"]);
	});

	test.each(TABLE_NAMES)("a filter hides no row of %s", (table: TableName) => {
		for (const { tables } of read) {
			for (const [filtered, scanned] of [...tables[table].by_shard, ...tables[table].by_filter]) {
				expect(filtered).toBe(scanned);
			}
		}
	});

	test("somebody else's vacuum with default retention would delete nothing", () => {
		for (const table of TABLE_NAMES) expect(read[3]?.tables[table].vacuum).toEqual([]);
	});

	test("the logs avoid every measured trap of hand-written logs", async () => {
		const check = await pythonVerdict(LogCheck, "check_delta_log.py", [lake]);
		expect(check.problems).toEqual([]);
		expect(check.versions).toEqual({ images: 4, prompts: 4, pairs: 4, quarantine: 4 });
	});

	test("a reader pinned to latest.json reads one whole snapshot", async () => {
		const reader = await pinnedReader();
		try {
			expect(await reader.check(lake)).toEqual({ state: "whole", number: 4 });
		} finally {
			await reader.stop();
		}
	});

	test("every cell of images, prompts and pairs is what the source says", async () => {
		const verdict = await recompute(source, lake, ["--skip-rejected"]);
		expect(verdict.examples).toEqual([]);
		expect(verdict.different).toBe(0);
		expect(verdict.shards).toEqual(["test_1", "test_2"]);
		expect(verdict.delta_rows).toEqual(verdict.rows);
		expect(verdict.duckdb_rows).toEqual(verdict.rows);
		expect(verdict.rows.images).toBe(47);
	});
});
