import { describe, expect, test } from "@jest/globals";
import type { ShardTables } from "../../../../../pipelines/mirror/check/verdict.js";
import { tableRows } from "../../../../../pipelines/mirror/write/table-rows.js";
import type { ImageResult } from "../../../../../pipelines/ports/images.js";
import { DEFAULT_SETTINGS } from "../../../../../schemas/settings.js";
import type { TableRow } from "../../../../../schemas/tables.js";
import { type SourceRow, TABLES } from "../../../../support/tables.js";
import { check, fileName, goodImage, row } from "../../../../support/values.js";
import { Random } from "../../../../tools/sample/random.js";

/** Tables of a shard with these rows, where every image but those of `missing` is good. */
function tablesOf(rows: SourceRow[], missing: number[] = []): ShardTables {
	const results = new Map<string, ImageResult>();
	for (const one of rows) {
		const name = one.image_path.slice(one.image_path.lastIndexOf("/") + 1);
		if (!missing.some((number) => fileName(number) === name)) results.set(name, goodImage(name));
	}
	const members = [...results.keys()].map((name) => ({ name, ref: { kind: "file", path: name, bytes: 1 } as const }));
	return tableRows(settle(check(rows), { members, results }, DEFAULT_SETTINGS));
}

/** Image `number` of prompt `p` with this rank; its overall rating falls with the rank unless given. */
function ranked(number: number, rank: number, values: Partial<SourceRow> = {}): SourceRow {
	return row(number, { prompt_id: "p", rank, overall_rating: 8 - rank, image_amount_in_total: 4, ...values });
}

function only(rows: TableRow[]): TableRow {
	expect(rows).toHaveLength(1);
	return rows[0] ?? {};
}

const path = (number: number): string => row(number).image_path;
const pairPaths = ({ rows }: ShardTables) => rows.pairs.map((pair) => [pair.better_image_path, pair.worse_image_path]);

test("every table's rows have exactly its columns", () => {
	const { rows } = tablesOf([ranked(1, 1), ranked(2, 2), ranked(3, 3), ranked(4, 4)], [4]);
	for (const [table, columns] of Object.entries(TABLES)) {
		const [first] = rows[table as keyof typeof TABLES];
		expect({ table, columns: Object.keys(first ?? {}).sort() }).toEqual({
			table,
			columns: columns.map(({ name }) => name).sort(),
		});
	}
});

test("pairs stand by better and then worse path, smaller rank better", () => {
	const tables = tablesOf([ranked(4, 1), ranked(3, 2), ranked(1, 3), ranked(2, 1)]);
	expect(pairPaths(tables)).toEqual([
		[path(2), path(1)],
		[path(2), path(3)],
		[path(3), path(1)],
		[path(4), path(1)],
		[path(4), path(3)],
	]);
	expect(tables).toMatchObject({ pairs: 5, ties: 1, prompts: 1 });
});

test("ties give no row and are counted", () => {
	const tables = tablesOf([ranked(1, 2), ranked(2, 2), ranked(3, 2), ranked(4, 1)]);
	expect(only(tables.rows.prompts)).toMatchObject({ pair_count: 3, tie_count: 3, image_count: 4 });
	for (const pair of tables.rows.pairs) expect(pair).toMatchObject({ better_rank: 1, worse_rank: 2 });
});

test("inversions are strict pairs whose overall ratings say the opposite", () => {
	const rows = [
		ranked(1, 1, { overall_rating: 3 }),
		ranked(2, 2, { overall_rating: 3 }),
		ranked(3, 3, { overall_rating: 5 }),
		ranked(4, 3, { overall_rating: 7 }),
	];
	expect(only(tablesOf(rows).rows.prompts)).toMatchObject({ pair_count: 5, tie_count: 1, inversion_count: 4 });
});

test("a prompt's images stand by rank, then path, with all that its struct has", () => {
	const { rows } = tablesOf([ranked(3, 2), ranked(2, 1), ranked(4, 1), ranked(1, 2)]);
	const images = only(rows.prompts).images as PromptImage[];
	expect(images.map(({ image_id }) => `${image_id}.webp`)).toEqual([2, 4, 1, 3].map(fileName));
	expect(images[0]).toEqual({
		image_id: fileName(2).replace(".webp", ""),
		object_key: rows.images.find(({ image_path }) => image_path === path(2))?.object_key,
		rank: 1,
		overall_rating: 7,
		image_text_alignment_rating: 5,
		fidelity_rating: 5,
	});
});

test("a prompt's texts and expected count are those of its first row in the JSON, though that one is rejected", () => {
	const first = ranked(9, 1, { prompt: "first", classification: "First", image_amount_in_total: 7 });
	const { rows } = tablesOf([first, ranked(1, 1), ranked(2, 2)], [9]);
	expect(only(rows.prompts)).toMatchObject({
		prompt: "first",
		classification: "First",
		expected_count: 7,
		image_count: 2,
	});
	expect(only(rows.pairs)).toMatchObject({ prompt: "first", classification: "First" });
	expect(rows.images.map(({ prompt }) => prompt)).toEqual(["a cat", "a cat"]);
});

test("a prompt without a good image has no row", () => {
	const rows = [ranked(1, 1), row(2), ranked(3, 2)];
	const tables = tablesOf(rows, [1, 3]);
	expect(only(tables.rows.prompts)).toMatchObject({ prompt_id: "p-2", image_count: 1, pair_count: 0, tie_count: 0 });
	expect(tables.prompts).toBe(1);
});

test("prompts and their pairs stand by first appearance, images in the order of the JSON", () => {
	const of = (prompt_id: string, number: number, rank: number) => row(number, { prompt_id, rank });
	const { rows } = tablesOf([of("z", 5, 1), of("a", 2, 2), of("z", 4, 2), of("a", 1, 1)]);
	expect(rows.prompts.map(({ prompt_id }) => prompt_id)).toEqual(["z", "a"]);
	expect(rows.pairs.map(({ prompt_id }) => prompt_id)).toEqual(["z", "a"]);
	expect(rows.images.map(({ image_path }) => image_path)).toEqual([5, 2, 4, 1].map(path));
});

test("a missing row shifts no later group", () => {
	const a = [1, 2, 3].map((number) => row(number, { prompt_id: "a", rank: number, image_amount_in_total: 4 }));
	const b = [5, 6, 7, 8].map((number) => row(number, { prompt_id: "b", rank: number - 4, image_amount_in_total: 4 }));
	const { rows } = tablesOf([...a, ...b]);
	expect(rows.prompts.map(({ prompt_id, image_count }) => [prompt_id, image_count])).toEqual([
		["a", 3],
		["b", 4],
	]);
});

describe("for any ranks", () => {
	test("pairs and ties of every prompt add up to n(n−1)/2, and to the shard's", () => {
		for (let seed = 1; seed <= 100; seed++) {
			const random = new Random(`table-rows/${seed}`);
			const rows = Array.from({ length: random.int(1, 30) }, (_, at) =>
				row(at + 1, { prompt_id: `p-${random.int(1, 5)}`, rank: random.int(1, 5), overall_rating: random.int(1, 7) }),
			);
			const tables = tablesOf(rows, [random.int(1, 30)]);
			let [pairs, ties] = [0, 0];
			for (const prompt of tables.rows.prompts) {
				const [n, strict, tied, inverted] = [
					prompt.image_count,
					prompt.pair_count,
					prompt.tie_count,
					prompt.inversion_count,
				].map(Number) as [number, number, number, number];
				expect(strict + tied).toBe((n * (n - 1)) / 2);
				expect(inverted).toBeLessThanOrEqual(strict);
				pairs += strict;
				ties += tied;
			}
			expect(tables).toMatchObject({ pairs, ties, prompts: tables.rows.prompts.length });
			expect(tables.rows.pairs).toHaveLength(pairs);
			for (const pair of tables.rows.pairs) expect(Number(pair.better_rank)).toBeLessThan(Number(pair.worse_rank));
		}
	});
});
