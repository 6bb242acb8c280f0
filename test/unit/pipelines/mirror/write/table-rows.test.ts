import { expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import { reconcile } from "../../../../../pipelines/mirror/check/reconcile.js";
import type { ShardTables } from "../../../../../pipelines/mirror/check/verdict.js";
import { tableRows } from "../../../../../pipelines/mirror/write/table-rows.js";
import type { ImageResult } from "../../../../../pipelines/ports/images.js";
import { DEFAULT_SETTINGS } from "../../../../../schemas/settings.js";
import { type SourceRow, TABLE_NAMES, TABLES } from "../../../../support/tables.js";
import { check, fileName, goodImage, group, row } from "../../../../support/values.js";

/** A verdict becomes rows of every table: the core's own two, and those that the dataset makes. */

/** Tables of a shard with these rows, where the images of these numbers are good and there are no others. */
function tablesOf(rows: SourceRow[], good: number[], warned: number[] = []): ShardTables {
	const results = new Map<string, ImageResult>();
	for (const number of good) {
		const name = fileName(number);
		results.set(name, goodImage(name, warned.includes(number) ? ["IMAGE_NOT_LOSSLESS"] : []));
	}
	const members = [...results.keys()].map((name) => ({ name, ref: { kind: "file", path: name, bytes: 1 } as const }));
	return tableRows(imageRewardDb, reconcile(check(rows), { members, results }, DEFAULT_SETTINGS));
}

test("every table's rows have exactly its columns", () => {
	const { rows } = tablesOf(group("p", 1, 4), [1, 2, 3]);
	expect(Object.keys(rows).sort()).toEqual([...TABLE_NAMES].sort());
	for (const table of TABLE_NAMES) {
		const [first] = rows[table] ?? [];
		expect({ table, columns: Object.keys(first ?? {}).sort() }).toEqual({
			table,
			columns: TABLES[table].columns.map(({ name }) => name).sort(),
		});
	}
});

test("images stand in the order of the JSON, each with its own row, its object and its warnings", () => {
	const { rows } = tablesOf([row(5), row(2, { prompt: "a dog" }), row(4)], [2, 4, 5], [2]);
	const { images = [] } = rows;
	expect(images.map(({ image_path }) => image_path)).toEqual([5, 2, 4].map((number) => row(number).image_path));
	const { sha256, bytes, crc32, image } = goodImage(fileName(2));
	expect(images[1]).toEqual({
		image_id: fileName(2).replace(".webp", ""),
		...row(2, { prompt: "a dog" }),
		...image,
		source_sha256: sha256,
		source_bytes: bytes,
		crc32,
		warnings: ["IMAGE_NOT_LOSSLESS"],
	});
});

test("quarantine has the findings in their order, the group under the dataset's name for it, and not their place", () => {
	const { rows } = tablesOf([row(2), row(1)], []);
	const finding = (number: number) => ({
		code: "IMAGE_MISSING",
		severity: "reject",
		image_path: row(number).image_path,
		prompt_id: `p-${number}`,
		member: null,
		detail: "the shard has no member of this name",
		row: JSON.stringify(row(number)),
		bytes: null,
		sha256: null,
	});
	expect(rows.quarantine).toEqual([finding(1), finding(2)]);
	expect(rows.images).toEqual([]);
});

test("the dataset's counts are handed on as they are", () => {
	expect(tablesOf(group("p", 1, 3), [1, 2, 3]).counts).toEqual({ prompts: 1, pairs: 3, ties: 0 });
});
