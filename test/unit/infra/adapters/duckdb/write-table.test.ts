import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { DuckDBInstance } from "../../../../../infra/adapters/duckdb/node-api.js";
import { openTableFiles } from "../../../../../infra/adapters/duckdb/table-files.js";
import type { TableFiles } from "../../../../../pipelines/ports/tables.js";
import { DEAD_SECONDS } from "../../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../../pipelines/scratch/owner.js";
import { LakeError } from "../../../../../schemas/errors.js";
import type { Cell, ColumnType, TableRow } from "../../../../../schemas/tables.js";
import { ELSEWHERE, markElsewhere } from "../../../../support/namespace.js";
import { tempDir } from "../../../../support/root.js";
import { TABLES, type TableName } from "../../../../support/tables.js";

let local: ReturnType<typeof tempDir>;
let tables: TableFiles;

beforeEach(async () => {
	local = tempDir("duckdb-write");
	tables = await openTableFiles({ spill: join(local.path, "spill") });
});
afterEach(async () => {
	await tables.close();
	local.remove();
});

const file = (name: string) => join(local.path, name);

/** A row with a value in every column, told apart by `i`. */
function sampleRow(table: TableName, i: number): TableRow {
	return Object.fromEntries(TABLES[table].columns.map(({ name, type }) => [name, sampleCell(name, type, i)]));
}

function sampleCell(name: string, type: ColumnType, i: number): Cell {
	if (typeof type === "object") return Array.from({ length: i % 4 }, (_, k) => promptImage(i, k));
	switch (type) {
		case "text":
			return `${name} ${i % 97} of ${i}`;
		case "byte":
			return (i % 256) - 128;
		case "integer":
			return 2_147_483_647 - i;
		case "long":
			return Number.MAX_SAFE_INTEGER - i;
		case "texts":
			return Array.from({ length: i % 3 }, (_, k) => `CODE_${k}`);
		default:
			throw new Error(`no table has a ${type}`);
	}
}

function promptImage(i: number, k: number) {
	return {
		image_id: `image ${i} ${k}`,
		object_key: `objects/${i}`,
		rank: k + 1,
		overall_rating: -128,
		image_text_alignment_rating: 127,
		fidelity_rating: 0,
	};
}

/** What another DuckDB reads from the file, one JSON text a row, in the file's order. */
async function readBack(path: string): Promise<{ types: string[]; rows: unknown[] }> {
	const instance = await DuckDBInstance.create(":memory:");
	const connection = await instance.connect();
	try {
		const described = await (await connection.run(`DESCRIBE FROM '${path}'`)).getRows();
		const rows = await (await connection.run(`SELECT to_json(r)::VARCHAR FROM '${path}' r`)).getRows();
		return {
			types: described.map((row) => `${row[0]} ${row[1]}`),
			rows: rows.map((row) => JSON.parse(String(row[0]))),
		};
	} finally {
		connection.closeSync();
		instance.closeSync();
	}
}

function typeOf(type: ColumnType): string | undefined {
	const fields = "image_id VARCHAR, object_key VARCHAR, rank TINYINT, overall_rating TINYINT";
	if (typeof type === "object")
		return `STRUCT(${fields}, image_text_alignment_rating TINYINT, fidelity_rating TINYINT)[]`;
	return new Map([
		["text", "VARCHAR"],
		["byte", "TINYINT"],
		["integer", "INTEGER"],
		["long", "BIGINT"],
		["texts", "VARCHAR[]"],
	]).get(type);
}

describe("writing tables", () => {
	test.each(Object.keys(TABLES) as TableName[])(
		"%s: every column with its type and value, in the rows' order",
		async (table) => {
			const rows = Array.from({ length: 2500 }, (_, i) => sampleRow(table, i));
			await tables.write(TABLES[table], rows, file("t.parquet"));
			const found = await readBack(file("t.parquet"));
			expect(found.types).toEqual(TABLES[table].columns.map(({ name, type }) => `${name} ${typeOf(type)}`));
			expect(found.rows).toEqual(rows);
		},
	);

	test("nulls stay null in every column", async () => {
		for (const table of Object.keys(TABLES) as TableName[]) {
			const empty: TableRow = Object.fromEntries(TABLES[table].columns.map(({ name }) => [name, null]));
			const rows = [empty, sampleRow(table, 3), empty];
			await tables.write(TABLES[table], rows, file(`${table}.parquet`));
			expect((await readBack(file(`${table}.parquet`))).rows).toEqual(rows);
		}
	});

	test("odd texts survive; a lone surrogate becomes U+FFFD", async () => {
		const texts = ["", "a\0b", "\0", "😀 é \u{10FFFF}", "\uFEFFmark", "quote ' \" \\ \n\r\t", "long ".repeat(200_000)];
		const rows = [...texts, "lone \uD800 surrogate"].map((prompt) => ({ ...sampleRow("prompts", 1), prompt }));
		await tables.write(TABLES.prompts, rows, file("odd.parquet"));
		const found = (await readBack(file("odd.parquet"))).rows as { prompt: string }[];
		expect(found.map(({ prompt }) => prompt)).toEqual([...texts, "lone \uFFFD surrogate"]);
	});

	test("same rows, same bytes: for one thread and two, in a new instance, under memory pressure", async () => {
		const rows = Array.from({ length: 50_000 }, (_, i) => sampleRow("pairs", i));
		const hashes: string[] = [];
		for (const options of [{ threads: 1 }, { threads: 2 }, { threads: 2 }, { threads: 2, memoryMb: 64 }]) {
			const instance = await openTableFiles({ spill: file("spill"), ...options });
			await instance.write(TABLES.pairs, rows, file("pairs.parquet"));
			await instance.close();
			hashes.push(
				createHash("sha256")
					.update(readFileSync(file("pairs.parquet")))
					.digest("hex"),
			);
		}
		expect(new Set(hashes).size).toBe(1);
	});

	test("writes under way at once do not meet", async () => {
		const shards = Array.from({ length: 6 }, (_, shard) => [
			sampleRow("prompts", shard),
			sampleRow("prompts", shard + 7),
		]);
		await Promise.all(shards.map((rows, shard) => tables.write(TABLES.prompts, rows, file(`${shard}.parquet`))));
		for (const [shard, rows] of shards.entries()) {
			expect((await readBack(file(`${shard}.parquet`))).rows).toEqual(rows);
		}
	});

	test("a path with quotes, spaces and pattern characters is taken as it is", async () => {
		const path = file("it's [a] * and ? {b,c}.parquet");
		await tables.write(TABLES.prompts, [sampleRow("prompts", 1)], path);
		expect(existsSync(path)).toBe(true);
		expect((await tables.columns(path)).map(({ name }) => name)).toEqual(
			TABLES.prompts.columns.map(({ name }) => name),
		);
	});

	test.each([
		["a value too large for its column", { rank: 128 }],
		["a fraction", { width: 1.5 }],
		["a text in a number's column", { width: "512" }],
		["a number in a text's column", { prompt: 5 }],
		["an unsafe integer", { bytes: 2 ** 53 }],
	])("%s is refused, and no file stays", async (_, wrong) => {
		const rows = [sampleRow("images", 1), { ...sampleRow("images", 2), ...wrong }];
		const error = await tables.write(TABLES.images, rows, file("wrong.parquet")).catch((reason: unknown) => reason);
		expect(error).toBeInstanceOf(LakeError);
		expect((error as LakeError).code).toBe("INTERNAL");
		expect((error as LakeError).message).toContain(Object.keys(wrong)[0]);
		expect(existsSync(file("wrong.parquet"))).toBe(false);
	});

	test("a row that lacks a column is refused", async () => {
		const { rank: _, ...row } = sampleRow("images", 1);
		await expect(tables.write(TABLES.images, [row], file("lacks.parquet"))).rejects.toMatchObject({ code: "INTERNAL" });
	});

	test("a folder that cannot be written to is an error that leaves the next write alone", async () => {
		const row = sampleRow("quarantine", 1);
		await expect(tables.write(TABLES.quarantine, [row], file("no/such/folder.parquet"))).rejects.toMatchObject({
			code: "INTERNAL",
		});
		await tables.write(TABLES.quarantine, [row], file("fine.parquet"));
		expect((await readBack(file("fine.parquet"))).rows).toEqual([row]);
	});
});

describe("the spill folder", () => {
	test("of another container's process is deleted a minute after its owner last touched its mark", async () => {
		const theirs = file(`spill/duckdb-${ELSEWHERE}.1`);
		for (const [age, there] of [
			[DEAD_SECONDS - 5, true],
			[DEAD_SECONDS + 1, false],
		] as const) {
			mkdirSync(theirs, { recursive: true });
			markElsewhere(local.path, age);
			const other = await openTableFiles({ spill: file("spill") });
			await other.write(TABLES.images, [sampleRow("images", 1)], file("t.parquet"));
			await other.close();
			expect(existsSync(theirs)).toBe(there);
		}
	});

	test("that was taken from this process is made again by the next write", async () => {
		await tables.write(TABLES.images, [sampleRow("images", 1)], file("t.parquet"));
		const [own = ""] = readdirSync(file("spill"));
		expect(own).toBe(`duckdb-${ownerId()}${own.slice(own.lastIndexOf("."))}`);
		rmSync(file("spill"), { recursive: true });
		await tables.write(TABLES.images, [sampleRow("images", 1)], file("t.parquet"));
		expect(readdirSync(file("spill"))).toEqual([own]);
	});
});
