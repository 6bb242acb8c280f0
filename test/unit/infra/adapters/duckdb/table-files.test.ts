import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { DuckDBInstance } from "../../../../../infra/adapters/duckdb/node-api.js";
import { openTableFiles } from "../../../../../infra/adapters/duckdb/table-files.js";
import { metadataColumns } from "../../../../../pipelines/dataset.js";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import type { PlainRow, TableFiles } from "../../../../../pipelines/ports/tables.js";
import { LakeError } from "../../../../../schemas/errors.js";
import { tempDir } from "../../../../support/root.js";

let local: ReturnType<typeof tempDir>;
let tables: TableFiles;

beforeEach(async () => {
	local = tempDir("duckdb-read");
	tables = await openTableFiles({ spill: join(local.path, "spill") });
});
afterEach(async () => {
	await tables.close();
	local.remove();
});

const file = (name: string) => join(local.path, name);

/** Writes parquet by another DuckDB instance. */
async function make(path: string, select: string): Promise<string> {
	const instance = await DuckDBInstance.create(":memory:");
	const connection = await instance.connect();
	await connection.run(`COPY (${select}) TO '${path.replaceAll("'", "''")}' (FORMAT parquet)`);
	connection.closeSync();
	instance.closeSync();
	return path;
}

/** Select list of metadata rows over `i`; a column given replaces the usual one. */
function metadata(replaced: Record<string, string> = {}): string {
	const columns = {
		image_path: "'images/train/train_' || (i // 1000 + 1) || '/' || i || '.webp'",
		prompt_id: "'p' || (i // 6)",
		prompt: "'prompt of ' || i",
		classification: "'People'",
		image_amount_in_total: "6::TINYINT",
		rank: "(i % 5 + 1)::TINYINT",
		overall_rating: "7::TINYINT",
		image_text_alignment_rating: "1::TINYINT",
		fidelity_rating: "4::TINYINT",
		...replaced,
	};
	return Object.entries(columns)
		.map(([name, value]) => `${value} AS "${name}"`)
		.join(", ");
}

/** Rows of the dataset's columns: all, or those whose image path starts so. */
function metadataRows(path: string, startsWith?: string): AsyncIterable<PlainRow[]> {
	const where = startsWith === undefined ? null : { column: "image_path", startsWith };
	return tables.metadataRows(path, metadataColumns(imageRewardDb), where);
}

async function all<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
	const rows: T[] = [];
	for await (const batch of batches) rows.push(...batch);
	return rows;
}

async function caught(work: Promise<unknown>): Promise<LakeError> {
	const error: unknown = await work.catch((reason: unknown) => reason);
	expect(error).toBeInstanceOf(LakeError);
	return error as LakeError;
}

describe("reading metadata", () => {
	test("columns: exact names and types, of every width", async () => {
		const path = await make(
			file("m.parquet"),
			"SELECT 'a' AS \"Rank\", 1::UBIGINT AS u, 2::SMALLINT AS s, 'x'::BLOB AS b, 1.5::DOUBLE AS d",
		);
		expect(await tables.columns(path)).toEqual([
			{ name: "Rank", type: "VARCHAR" },
			{ name: "u", type: "UBIGINT" },
			{ name: "s", type: "SMALLINT" },
			{ name: "b", type: "BLOB" },
			{ name: "d", type: "DOUBLE" },
		]);
	});

	test("all rows, and those of one shard, with nothing but the nine columns", async () => {
		const path = await make(file("m.parquet"), `SELECT ${metadata()}, 'more' AS extra FROM range(5000) t(i)`);
		const rows = await all(metadataRows(path));
		expect(rows).toHaveLength(5000);
		expect(rows.find((row) => row.prompt === "prompt of 4321")).toEqual({
			image_path: "images/train/train_5/4321.webp",
			prompt_id: "p720",
			prompt: "prompt of 4321",
			classification: "People",
			image_amount_in_total: 6,
			rank: 2,
			overall_rating: 7,
			image_text_alignment_rating: 1,
			fidelity_rating: 4,
		});
		const shard = await all(metadataRows(path, "images/train/train_3/"));
		expect(shard).toHaveLength(1000);
		expect(shard.every((row) => String(row.image_path).startsWith("images/train/train_3/"))).toBe(true);
		expect(await all(metadataRows(path, "images/train/train_%"))).toEqual([]);
	});

	test("integers of any width: numbers where they are safe, else text; nulls stay", async () => {
		const path = await make(
			file("wide.parquet"),
			`SELECT ${metadata({
				rank: "3::UTINYINT",
				overall_rating: "9007199254740991::BIGINT",
				image_text_alignment_rating: "18446744073709551615::UBIGINT",
				fidelity_rating: "-9007199254740992::BIGINT",
				image_amount_in_total: "NULL::BIGINT",
				classification: "NULL::VARCHAR",
			})} FROM range(1) t(i)`,
		);
		expect(await all(metadataRows(path))).toMatchObject([
			{
				rank: 3,
				overall_rating: 9007199254740991,
				image_text_alignment_rating: "18446744073709551615",
				fidelity_rating: "-9007199254740992",
				image_amount_in_total: null,
				classification: null,
			},
		]);
	});

	test("odd texts arrive as they are, a leading byte-order mark too", async () => {
		const path = await make(
			file("odd.parquet"),
			`SELECT ${metadata({ prompt: "chr(65279) || 'mark'", classification: "'a' || chr(0) || '\"\\😀' || chr(10)", prompt_id: "''" })} FROM range(1) t(i)`,
		);
		expect(await all(metadataRows(path))).toMatchObject([
			{ prompt: "\uFEFFmark", classification: 'a\0"\\😀\n', prompt_id: "" },
		]);
	});

	test.each(["it's [a] copy", "a * b", "what?", "{a,b}", "rank=3", "back\\slash"])(
		"a folder named %j",
		async (name) => {
			mkdirSync(file(name));
			const path = await make(file(`${name}/m.parquet`), `SELECT ${metadata()} FROM range(3) t(i)`);
			await make(file("m.parquet"), `SELECT ${metadata()} FROM range(7) t(i)`);
			expect(await tables.columns(path)).toHaveLength(9);
			expect((await all(metadataRows(path))).map((row) => row.rank)).toEqual([1, 2, 3]);
		},
	);

	test("a file named like a pattern is read alone", async () => {
		await make(file("m1.parquet"), `SELECT ${metadata()} FROM range(7) t(i)`);
		for (const name of ["m*.parquet", "m?.parquet", "m[1].parquet"]) {
			const path = await make(file(name), `SELECT ${metadata()} FROM range(3) t(i)`);
			expect(await all(metadataRows(path))).toHaveLength(3);
		}
	});

	test("whoever stops reading early can go on with other files", async () => {
		const path = await make(file("m.parquet"), `SELECT ${metadata()} FROM range(20000) t(i)`);
		for await (const batch of metadataRows(path)) {
			expect(batch.length).toBeGreaterThan(0);
			break;
		}
		expect(await all(metadataRows(path))).toHaveLength(20000);
	});

	test("a file that is absent, empty, no parquet, or cut is METADATA_MISSING, by name and in own words", async () => {
		const good = readFileSync(await make(file("good.parquet"), `SELECT ${metadata()} FROM range(3000) t(i)`));
		writeFileSync(file("empty.parquet"), "");
		writeFileSync(file("text.parquet"), "image_path,prompt_id\n");
		writeFileSync(file("cut.parquet"), good.subarray(0, good.length - 20));
		for (const name of ["absent", "empty", "text", "cut"]) {
			const path = file(`${name}.parquet`);
			for (const error of [await caught(tables.columns(path)), await caught(all(metadataRows(path)))]) {
				expect(error).toMatchObject({ code: "METADATA_MISSING", path });
				expect(error.message).toBe(`The metadata file ${path} cannot be read as parquet.`);
			}
		}
	});

	test("a file whose pages are damaged behind a sound footer is METADATA_MISSING", async () => {
		const path = await make(file("damaged.parquet"), `SELECT ${metadata()} FROM range(3000) t(i)`);
		const bytes = readFileSync(path);
		bytes.fill(0xff, 4, 400);
		writeFileSync(path, bytes);
		expect(await tables.columns(path)).toHaveLength(9);
		expect(await caught(all(metadataRows(path)))).toMatchObject({ code: "METADATA_MISSING", path });
	});

	test("reading makes no spill folder", async () => {
		const path = await make(file("m.parquet"), `SELECT ${metadata()} FROM range(10) t(i)`);
		await all(metadataRows(path));
		expect(existsSync(file("spill"))).toBe(false);
	});
});

describe("reading a table's file", () => {
	test("the columns asked for, in the file's order", async () => {
		const path = await make(
			file("t.parquet"),
			"SELECT 'k' || i AS key, i AS n, [i, 2] AS list, i = 3 AS yes FROM range(6000) t(i)",
		);
		const rows = await all(tables.read(path, ["n", "key"]));
		expect(rows).toEqual(Array.from({ length: 6000 }, (_, i) => ({ key: `k${i}`, n: i })));
		expect((await all(tables.read(path, ["list", "yes"])))[3]).toEqual({ list: "[3, 2]", yes: "true" });
		expect((await all(tables.read(path, ["n"])))[5999]).toEqual({ n: 5999 });
	});

	test("a file that cannot be read, or lacks a column, is LAKE_DAMAGED", async () => {
		const path = await make(file("t.parquet"), "SELECT 1 AS n");
		expect(await caught(all(tables.read(path, ["other"])))).toMatchObject({ code: "LAKE_DAMAGED", path });
		expect(await caught(all(tables.read(file("absent"), ["n"])))).toMatchObject({ code: "LAKE_DAMAGED" });
	});
});
