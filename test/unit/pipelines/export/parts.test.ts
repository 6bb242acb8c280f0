import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { openExportFiles } from "../../../../infra/adapters/duckdb/export-files.js";
import { DuckDBInstance } from "../../../../infra/adapters/duckdb/node-api.js";
import { cutRows } from "../../../../pipelines/export/row-groups.js";
import { entrySize, tarHeader, tarPadding } from "../../../../pipelines/export/tar.js";

/** The parts that exports are made of. */

const folder = mkdtempSync(join(tmpdir(), "irlake-parts-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("rows are cut into groups and files by number and by bytes", () => {
	const limits = { groupRows: 3, groupBytes: 10, fileBytes: 25 };
	const sizes = [1, 1, 1, 1, 9, 2, 30, 5, 5, 1];
	expect(cutRows(sizes, (bytes) => bytes, limits)).toEqual([[[1, 1, 1], [1, 9], [2]], [[30]], [[5, 5], [1]]]);
	expect(cutRows([], Number, limits)).toEqual([]);
});

test("a tar's entry takes whole blocks, and its header adds up", () => {
	const header = tarHeader("a.webp", 513);
	const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
	expect(Number.parseInt(header.toString("ascii", 148, 154), 8)).toBe(sum);
	expect([entrySize(0), entrySize(1), entrySize(512), entrySize(513)]).toEqual([512, 1024, 1024, 1536]);
	expect([0, 1, 512, 513].map((bytes) => tarPadding(bytes).length)).toEqual([0, 511, 0, 511]);
});

test("joined parts are row groups of their own, however small, and keep their order", async () => {
	const files = await openExportFiles(join(folder, "spill"));
	const columns = [
		{ name: "image", type: "image" as const },
		{ name: "place", type: "long" as const },
	];
	const sizes = [100, 100, 7, 100, 1];
	const parts: string[] = [];
	let at = 0;
	for (const size of sizes) {
		const rows = Array.from({ length: size }, () => [{ bytes: Buffer.from(`image ${at}`), path: "x" }, at++]);
		const part = join(folder, `part-${parts.length}`);
		await files.writePart(columns, rows, part);
		parts.push(part);
	}
	const file = join(folder, "joined.parquet");
	await files.join(parts, file, `{"it's": 1}`);
	await files.close();
	const instance = await DuckDBInstance.create(":memory:");
	const connection = await instance.connect();
	const read = async (sql: string) => (await connection.runAndReadAll(sql)).getRowsJson();
	const groups = await read(
		`SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata('${file}') ORDER BY 1`,
	);
	expect(groups.map((row) => Number(row[1]))).toEqual(sizes);
	expect(
		await read(`SELECT count(*) FROM (SELECT place, row_number() OVER () AS n FROM '${file}') WHERE n <> place + 1`),
	).toEqual([["0"]]);
	expect(await read(`SELECT count(*) FROM '${file}' WHERE image.bytes <> encode('image ' || place)`)).toEqual([["0"]]);
	const [metadata] = await read(`SELECT decode(key), decode(value) FROM parquet_kv_metadata('${file}')`);
	expect(metadata).toEqual(["huggingface", `{"it's": 1}`]);
	connection.closeSync();
	instance.closeSync();
});
