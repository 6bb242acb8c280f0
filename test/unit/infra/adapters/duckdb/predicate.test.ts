import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { DuckDBInstance } from "../../../../../infra/adapters/duckdb/node-api.js";
import { openPredicate } from "../../../../../infra/adapters/duckdb/predicate.js";
import { FUNCTIONS } from "../../../../../infra/adapters/duckdb/predicate-rules.js";
import { metadataColumns } from "../../../../../pipelines/dataset.js";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import type { PlacedRow } from "../../../../../pipelines/ports/tables.js";
import { LakeError } from "../../../../../schemas/errors.js";

/** `--where` is one harmless expression over the metadata's columns, or is refused before anything is done. */

const ROW: PlacedRow["row"] = {
	image_path: "images/train/train_3/a.webp",
	prompt_id: "000864-0061",
	prompt: "a cat’s portrait",
	classification: "People",
	image_amount_in_total: 4,
	rank: 1,
	overall_rating: 6,
	image_text_alignment_rating: 5,
	fidelity_rating: 7,
};

function placed(row: PlacedRow["row"] = {}): PlacedRow {
	return { row: { ...ROW, ...row }, split: "train", shard: 3 };
}

async function select(text: string, ...rows: PlacedRow[]): Promise<boolean[]> {
	const predicate = await openPredicate(text, metadataColumns(imageRewardDb));
	try {
		return await predicate.selects(rows);
	} finally {
		await predicate.close();
	}
}

async function refusal(text: string): Promise<LakeError> {
	const error = await select(text, placed()).then(
		() => null,
		(thrown: unknown) => thrown,
	);
	if (error instanceof LakeError) return error;
	throw new Error(`${text} was not refused`, { cause: error });
}

describe("an expression chooses the rows of which it is true", () => {
	test.each<[string, boolean]>([
		["overall_rating >= 6 AND classification = 'People'", true],
		["Overall_Rating BETWEEN 1 AND 5", false],
		["prompt ILIKE '%CAT%' -- a comment", true],
		["regexp_matches(prompt, 'cat.s')", true],
		["split = 'train' AND shard IN (1, 3)", true],
		["split = 'test'", false],
		["CASE WHEN rank = 1 THEN fidelity_rating > 6 ELSE false END", true],
		["try_cast(split AS INTEGER) = 3", false],
		["(rank) = (1) OR (rank) = (2)", true],
		["rank) = (1", true],
		["fidelity_rating - rank >= 6", true],
		["image_path LIKE '%/a.webp' /* all */", true],
		["TRUE", true],
	])("%s", async (text, expected) => {
		expect(await select(text, placed())).toEqual([expected]);
	});

	test("of which it is NULL are not chosen, nor those whose numbers are none", async () => {
		const rows = [placed({ rank: null }), placed({ rank: "99999999999999999999" }), placed()];
		expect(await select("rank >= 1", ...rows)).toEqual([false, false, true]);
		expect(await select("NOT rank >= 1", ...rows)).toEqual([false, false, false]);
		expect(await select("rank IS NULL", ...rows)).toEqual([true, true, false]);
	});

	test("however many rows there are, in their order", async () => {
		const rows = Array.from({ length: 5000 }, (_, at) => placed({ rank: at % 7 }));
		expect(await select("rank = 3", ...rows)).toEqual(rows.map(({ row }) => row.rank === 3));
	});
});

describe("all else is refused, saying what and where", () => {
	test.each<[string, string]>([
		["rank = 1; DROP TABLE rows", "at character 9 (; DROP TABLE rows): it cannot be read"],
		["rank =", "it cannot be read"],
		["-- nothing", "it cannot be read"],
		["rank = 1, true", "the function row cannot"],
		["rank = 1), (true", "one expression and nothing else"],
		["true) FROM rows WHERE (true", "one expression and nothing else"],
		["true) UNION SELECT (true", "one expression and nothing else"],
		["true) ORDER BY (rank", "one expression and nothing else"],
		["rank IN (SELECT 1)", "at character 6 (IN (SELECT 1)): a subquery"],
		["EXISTS (FROM read_text('/etc/passwd'))", "a subquery"],
		["rank = ANY([1, 2])", "a subquery"],
		["sum(rank) > 3", "at character 1 (sum(rank) > 3): the function sum cannot be used"],
		["row_number() OVER () = 1", "a window function"],
		["random() < 0.5", "the function random cannot be used"],
		["now() IS NULL", "the function now cannot be used"],
		["age(TIMESTAMP '2020-01-01') IS NULL", "the function age cannot be used"],
		["current_date > DATE '2020-01-01'", "there is no column current_date"],
		["current_setting('threads') = '1'", "the function current_setting cannot be used"],
		["getvariable('x') IS NULL", "the function getvariable cannot be used"],
		["overall_rating > 1e400", "a number in it is too large"],
		["rank < -1e400", "a number in it is too large"],
		["repeat('a', 1000000000) = 'x'", "the function repeat cannot be used"],
		["nothing_such(rank)", "the function nothing_such cannot be used"],
		["rating > 3", "at character 1 (rating > 3): there is no column rating"],
		[
			"prompt = 'ä' AND \"People\" = classification",
			'at character 18 ("People" = classific): there is no column People',
		],
		["rows.rank = 1", "there is no column rows.rank"],
		["rowid = 1", "there is no column rowid"],
		["place = '0000'", "there is no column place"],
		["rank = $1", "a parameter"],
		["rank = ?", "a parameter"],
		["COLUMNS('rank') = 1", "* is no expression"],
		["*", "* is no expression"],
		["list_filter([1], x -> x = rank) IS NULL", "the function list_filter cannot be used"],
		["prompt COLLATE NOCASE = 'x'", "COLLATE"],
		["rank", "it gives BIGINT, not yes or no"],
		["'yes'", "it gives VARCHAR, not yes or no"],
		["NULL", "not yes or no"],
		["overall_rating = 'six'", "Could not convert string 'six'"],
		["classification > 5", "Cannot compare values of type VARCHAR"],
		["lower(rank) = 'a'", "No function matches"],
		["regexp_matches(prompt, '(')", "missing )"],
	])("%s", async (text, told) => {
		const error = await refusal(text);
		expect(error).toMatchObject({ code: "USAGE", exit: 2, path: "--where" });
		expect(error.message).toContain(told);
		expect(error.hint).toContain("overall_rating");
	});

	test("so is one that fails on a row", async () => {
		expect((await refusal("CAST(prompt AS INTEGER) = 1")).message).toContain("Could not convert string");
	});
});

describe("the functions that can be used", () => {
	let known: Map<string, Set<string>>;

	beforeAll(async () => {
		const instance = await DuckDBInstance.create(":memory:");
		const connection = await instance.connect();
		const read = await connection.runAndReadAll(
			"SELECT function_name, function_type || ' ' || coalesce(stability, '') FROM duckdb_functions()",
		);
		known = new Map();
		for (const [name, kind] of read.getRows()) {
			known.set(String(name), (known.get(String(name)) ?? new Set()).add(String(kind)));
		}
		connection.closeSync();
		instance.closeSync();
	});
	afterAll(() => known.clear());

	test("are, as DuckDB itself has it, of one row and always the same", () => {
		for (const name of FUNCTIONS) {
			expect([name, ...(known.get(name) ?? [])]).toEqual([name, "scalar CONSISTENT"]);
		}
	});
});
