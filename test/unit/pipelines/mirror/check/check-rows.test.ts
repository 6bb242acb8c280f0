import { describe, expect, test } from "@jest/globals";
import { parseRows } from "../../../../../pipelines/mirror/check/parse-json.js";
import type { CheckedRows } from "../../../../../pipelines/mirror/check/verdict.js";
import type { SourceRow } from "../../../../support/tables.js";
import { check, fileName, group, PREFIX, row } from "../../../../support/values.js";

/** Codes of each row, in the order of the JSON. */
function codes({ rows }: CheckedRows): string[][] {
	return rows.map(({ findings }) => findings.map(({ code }) => code));
}

function details({ rows }: CheckedRows): string[] {
	return rows.flatMap(({ findings }) => findings.map(({ detail }) => detail));
}

/** Codes and prompts of the findings that are about no row of the JSON. */
function about({ findings }: CheckedRows): (string | null)[][] {
	return findings.map(({ code, prompt_id, image_path }) => [code, prompt_id, image_path]);
}

test("good rows give no finding", () => {
	const checked = check(group("p", 1, 4));
	expect(codes(checked)).toEqual([[], [], [], []]);
	expect(checked.findings).toEqual([]);
});

describe("ROW_SCHEMA", () => {
	const texts = ["image_path", "prompt_id", "prompt", "classification"] as const;
	const numbers = [
		"image_amount_in_total",
		"rank",
		"overall_rating",
		"image_text_alignment_rating",
		"fidelity_rating",
	] as const;
	const bad: [string, unknown][] = [
		...texts.flatMap((column) => [5, null, ["x"]].map((value): [string, unknown] => [column, value])),
		...numbers.flatMap((column) =>
			["5", null, 1.5, 128, -129, true, 1e300].map((value): [string, unknown] => [column, value]),
		),
		["rank", 0],
		["rank", -1],
		["prompt_id", ""],
	];

	test.each(bad)("%s cannot be %j", (column, value) => {
		const checked = check([{ ...row(1), [column]: value }], [row(1)]);
		expect(codes(checked)).toEqual([["ROW_SCHEMA"]]);
		expect(details(checked)[0]).toContain(column);
	});

	test.each([...texts, ...numbers])("%s cannot be missing", (column) => {
		const { [column]: _, ...rest } = row(1);
		const checked = check([rest], [row(1)]);
		expect(codes(checked)).toEqual([["ROW_SCHEMA"]]);
		expect(details(checked)[0]).toContain(`${column} is missing`);
	});

	test("names each field that is wrong", () => {
		const [detail] = details(check([{ ...row(1), rank: "first", prompt: 7, fidelity_rating: null }], [row(1)]));
		expect(detail).toContain('rank cannot be "first"');
		expect(detail).toContain("prompt cannot be 7");
		expect(detail).toContain("fidelity_rating cannot be null");
	});

	test.each([null, 5, "text", true, [row(1)]].map((value) => [value]))("a row that is no object: %j", (value) => {
		const checked = check([value], []);
		expect(codes(checked)).toEqual([["ROW_SCHEMA"]]);
		expect(checked.rows[0]?.findings[0]).toMatchObject({
			image_path: null,
			prompt_id: null,
			row: JSON.stringify(value),
		});
	});

	test("a row nested deeper than the stack is one bad row, not a failed shard", () => {
		const deep: unknown = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
		expect(codes(check([deep, { ...row(1), prompt: deep }, row(2)], [row(1), row(2)]))).toEqual([
			["ROW_SCHEMA"],
			["ROW_SCHEMA"],
			[],
		]);
	});

	test("1.0 and 1e0 are integers", () => {
		const text = JSON.stringify([row(1)])
			.replace('"rank":1', '"rank":1.0')
			.replace('"overall_rating":5', '"overall_rating":0.5e1');
		expect(text).toContain("1.0");
		expect(codes(check(parseRows(Buffer.from(text), "x.json"), [row(1)]))).toEqual([[]]);
	});

	test("texts may be empty, and the ends of int8 are good", () => {
		const ends = row(1, { prompt: "", classification: "", image_amount_in_total: 1, rank: 127 });
		expect(codes(check([ends]))).toEqual([[]]);
	});
});

describe("ROW_PATH", () => {
	const name = fileName(1);
	const wrong = [
		`images/train/train_2/${name}`,
		`images/train/train_10/${name}`,
		`images/test/test_1/${name}`,
		`train_1/${name}`,
		name,
		`/${PREFIX}${name}`,
		`${PREFIX}${name.toUpperCase()}`,
		`${PREFIX}${name.replace("00000000-", "A0000000-")}`,
		`${PREFIX}${name.replace(".webp", ".png")}`,
		`${PREFIX}${name} `,
		`${PREFIX}${name}\n`,
		`${PREFIX}sub/${name}`,
		`${PREFIX}../train_1/${name}`,
		`${PREFIX}photo.webp`,
		"",
	];

	test.each(wrong)("%j", (image_path) => {
		expect(codes(check([row(1, { image_path })], []))).toEqual([["ROW_PATH"]]);
	});

	test("stands beside ROW_SCHEMA: one row may have several findings", () => {
		const both = { ...row(1), image_path: name, rank: "1" };
		expect(codes(check([both], []))).toEqual([["ROW_SCHEMA", "ROW_PATH"]]);
	});
});

describe("ROW_DUPLICATE", () => {
	test("of equal rows the first stays, whatever the order of their keys", () => {
		const turned = Object.fromEntries(Object.entries(row(1)).reverse());
		const checked = check([row(1), row(2), turned, row(1)]);
		expect(codes(checked)).toEqual([[], [], ["ROW_DUPLICATE"], ["ROW_DUPLICATE"]]);
		expect(checked.rows.map(({ repeats }) => repeats)).toEqual([false, false, true, true]);
	});

	test("rows that contradict each other about one image are all rejected, and say in what", () => {
		const checked = check([row(1), row(1, { rank: 2 }), row(1)], [row(1)]);
		expect(codes(checked)).toEqual([["ROW_DUPLICATE"], ["ROW_DUPLICATE"], ["ROW_DUPLICATE"]]);
		for (const detail of details(checked)) expect(detail).toContain("rank");
		expect(checked.rows.map(({ repeats }) => repeats)).toEqual([false, false, false]);
	});

	test("equal rows count as one in their group", () => {
		const [first, ...others] = group("p", 1, 4);
		expect(check([first, ...others, first]).findings).toEqual([]);
	});
});

describe("the metadata", () => {
	test("ROW_NOT_IN_METADATA", () => {
		expect(codes(check([row(1), row(2)], [row(2)]))).toEqual([["ROW_NOT_IN_METADATA"], []]);
	});

	test("ROW_DIFFERS_FROM_METADATA names each field, with both values", () => {
		const checked = check([row(1)], [{ ...row(1), rank: 3, prompt: "a dog" }]);
		expect(codes(checked)).toEqual([["ROW_DIFFERS_FROM_METADATA"]]);
		expect(details(checked)[0]).toContain("rank 1, in the metadata 3");
		expect(details(checked)[0]).toContain('prompt "a cat", in the metadata "a dog"');
	});

	test.each([null, 300, "9223372036854775808"])("a value of %j differs from the row", (rank) => {
		expect(codes(check([row(1)], [{ ...row(1), rank }]))).toEqual([["ROW_DIFFERS_FROM_METADATA"]]);
	});

	test("contradicting rows of it are ROW_DIFFERS_FROM_METADATA, though one of them agrees", () => {
		const checked = check([row(1)], [row(1), row(1, { overall_rating: 2 })]);
		expect(codes(checked)).toEqual([["ROW_DIFFERS_FROM_METADATA"]]);
		expect(details(checked)[0]).toContain("overall_rating");
	});

	test("METADATA_EXTRA_ROW for an image that no row names, not even a bad one", () => {
		const bad = { ...row(2), rank: "1" };
		expect(about(check([row(1), bad], [row(1), row(2), row(3)]))).toEqual([
			["METADATA_EXTRA_ROW", "p-3", row(3).image_path],
		]);
	});

	test("METADATA_EXTRA_ROW once for an image that it names in several ways", () => {
		expect(about(check([row(1)], [row(1), row(2), row(2, { rank: 2 })]))).toEqual([
			["METADATA_EXTRA_ROW", "p-2", row(2).image_path],
		]);
	});
});

describe("UNKNOWN_COLUMN", () => {
	test("one for each column, though many rows and the metadata have it", () => {
		const more = [1, 2, 3].map((number) => ({ ...row(number), seed: number, ...(number === 2 ? { note: "" } : {}) }));
		const { findings } = check(more, [row(1), row(2), row(3)], ["model", "seed"]);
		expect(findings.map(({ code }) => code)).toEqual(["UNKNOWN_COLUMN", "UNKNOWN_COLUMN", "UNKNOWN_COLUMN"]);
		expect(findings.map(({ detail }) => detail)).toEqual([
			'"model" in the metadata',
			'"note" in 1 row of the JSON',
			'"seed" in 3 rows of the JSON and the metadata',
		]);
	});

	test("a column named __proto__ is one too", () => {
		const text = JSON.stringify([row(1)]).replace("{", '{"__proto__":{"rank":9},');
		const checked = check(parseRows(Buffer.from(text), "x.json"), [row(1)]);
		expect(codes(checked)).toEqual([[]]);
		expect(checked.findings.map(({ detail }) => detail)).toEqual(['"__proto__" in 1 row of the JSON']);
	});
});

test("RATING_RANGE names each rating outside 1–7, once a row", () => {
	const checked = check([row(1, { overall_rating: 0, fidelity_rating: 8 }), row(2, { overall_rating: 7 })]);
	expect(codes(checked)).toEqual([["RATING_RANGE"], []]);
	expect(details(checked)[0]).toContain("overall_rating 0, fidelity_rating 8");
});

describe("prompts", () => {
	test("GROUP_COUNT where the number of rows is not image_amount_in_total", () => {
		const short = group("short", 1, 4).slice(1);
		const long = [...group("long", 11, 4), row(15, { prompt_id: "long", image_amount_in_total: 4 })];
		expect(about(check([...short, ...long]))).toEqual([
			["GROUP_COUNT", "short", null],
			["GROUP_COUNT", "long", null],
		]);
	});

	test("GROUP_COUNT counts rows that are rejected", () => {
		const rows: unknown[] = group("p", 1, 4);
		rows[2] = { ...(rows[2] as SourceRow), rank: "2" };
		expect(check(rows, group("p", 1, 4)).findings).toEqual([]);
	});

	const conflicts: Partial<SourceRow>[] = [
		{ prompt: "a dog" },
		{ classification: "Arts" },
		{ image_amount_in_total: 5 },
	];
	test.each(conflicts)("PROMPT_CONFLICT and then no GROUP_COUNT: %j", (other) => {
		const rows = group("p", 1, 3).map((one) => ({ ...one, image_amount_in_total: 7 }));
		const last = rows[2];
		if (last) rows[2] = { ...last, ...other };
		const { findings } = check(rows);
		expect(findings.map(({ code, prompt_id }) => [code, prompt_id])).toEqual([["PROMPT_CONFLICT", "p"]]);
		expect(findings[0]?.detail).toContain(Object.keys(other)[0]);
	});

	test("rows of one prompt need not stand together", () => {
		const [a, b] = [group("a", 1, 3), group("b", 11, 3)];
		const mixed = a.flatMap((one, at) => [one, b[at]]);
		expect(check(mixed).findings).toEqual([]);
	});
});
