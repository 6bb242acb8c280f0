import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openTableFiles } from "../../../../../infra/adapters/duckdb/table-files.js";
import type { RowDifference, TableFiles } from "../../../../../pipelines/ports/tables.js";
import type { TableRow } from "../../../../../schemas/tables.js";
import { tempDir } from "../../../../support/root.js";
import { TABLES, type TableName } from "../../../../support/tables.js";

/** Rows in which two files of one table differ are found, each once, and no others. */

let local: ReturnType<typeof tempDir>;
let tables: TableFiles;
let files = 0;

beforeAll(async () => {
	local = tempDir("duckdb-differences");
	mkdirSync(join(local.path, "folder[1]"));
	tables = await openTableFiles({ spill: join(local.path, "spill") });
});
afterAll(async () => {
	await tables.close();
	local.remove();
});

async function write(table: TableName, rows: TableRow[]): Promise<string> {
	const file = join(local.path, "folder[1]", `it's ${++files}.parquet`);
	await tables.write(TABLES[table], rows, file);
	return file;
}

async function differences(table: TableName, before: string | null, after: string | null): Promise<RowDifference[]> {
	const found: RowDifference[] = [];
	for await (const batch of tables.differences(TABLES[table], before, after)) found.push(...batch);
	return found;
}

const EMPTY = Object.fromEntries(TABLES.quarantine.columns.map(({ name }) => [name, null]));
const finding = (code: string, member: string | null, bytes: number | null = null): TableRow => ({
	...EMPTY,
	code,
	member,
	bytes,
});
const prompt = (id: string, ranks: number[]): TableRow => ({
	prompt_id: id,
	prompt: `\uFEFFprompt "${id}"`,
	classification: "People",
	images: ranks.map((rank) => ({
		image_id: `i${rank}`,
		object_key: "objects/x",
		rank,
		overall_rating: 1,
		image_text_alignment_rating: 1,
		fidelity_rating: 1,
	})),
	image_count: ranks.length,
	expected_count: 4,
	pair_count: 0,
	tie_count: 0,
	inversion_count: 0,
});

describe("matched by a key", () => {
	test("added, removed and changed rows, in the key's order; equal ones, in whatever order, not at all", async () => {
		const before = await write("prompts", [
			prompt("c", [1, 2]),
			prompt("b", [1]),
			prompt("same", [3, 4]),
			prompt("a", [1]),
		]);
		const after = await write("prompts", [
			prompt("same", [3, 4]),
			prompt("d", [5]),
			prompt("c", [1, 3]),
			prompt("a", [1]),
		]);
		const found = await differences("prompts", before, after);
		expect(found.map((row) => [row.before?.prompt_id ?? null, row.after?.prompt_id ?? null])).toEqual([
			["b", null],
			["c", "c"],
			[null, "d"],
		]);
		const changed = found[1];
		expect(changed?.before).toMatchObject({ prompt: '\uFEFFprompt "c"', image_count: 2 });
		expect(changed?.before?.images).not.toBe(changed?.after?.images);
		expect(Object.keys(changed?.after ?? {})).toEqual(TABLES.prompts.columns.map(({ name }) => name));
	});

	test("an absent file has no rows", async () => {
		const file = await write("prompts", [prompt("b", [1]), prompt("a", [1])]);
		expect((await differences("prompts", null, file)).map(({ before, after }) => [before, after?.prompt_id])).toEqual([
			[null, "a"],
			[null, "b"],
		]);
		expect((await differences("prompts", file, null)).map(({ before, after }) => [before?.prompt_id, after])).toEqual([
			["a", null],
			["b", null],
		]);
		expect(await differences("prompts", file, file)).toEqual([]);
	});

	test("more rows than a batch holds", async () => {
		const rows = Array.from({ length: 5000 }, (_, i) => prompt(`p${String(i).padStart(5, "0")}`, [1]));
		const before = await write("prompts", rows);
		const after = await write("prompts", rows.map((row) => ({ ...row, pair_count: 1 })).reverse());
		const found = await differences("prompts", before, after);
		expect(found.map((row) => row.after?.prompt_id)).toEqual(rows.map((row) => row.prompt_id));
		expect(found.every((row) => row.before?.pair_count === 0 && row.after?.pair_count === 1)).toBe(true);
	}, 30_000);
});

test("matched by all columns, nulls among them: equal rows are counted, not taken for one", async () => {
	expect(TABLES.quarantine.key).toEqual(TABLES.quarantine.columns.map(({ name }) => name));
	const before = await write("quarantine", [finding("A", null), finding("A", null), finding("B", "m", 5)]);
	const after = await write("quarantine", [finding("B", "m", 6), finding("A", null), finding("A", "m")]);
	const found = await differences("quarantine", before, after);
	const told = found.map((row) => [row.before ? "-" : "+", row.before ?? row.after]);
	expect(told).toEqual([
		["-", finding("A", null)],
		["+", finding("A", "m")],
		["-", finding("B", "m", 5)],
		["+", finding("B", "m", 6)],
	]);
});

test("what is no parquet is LAKE_DAMAGED", async () => {
	const file = join(local.path, "no.parquet");
	writeFileSync(file, "no parquet");
	const good = await write("prompts", [prompt("a", [1])]);
	await expect(differences("prompts", good, file)).rejects.toMatchObject({ code: "LAKE_DAMAGED" });
});
