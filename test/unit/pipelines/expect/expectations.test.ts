import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../pipelines/datasets/imagereward-db/dataset.js";
import { Expectations } from "../../../../pipelines/expect/expectations.js";
import { type FoundFinding, type FoundShard, judgeFindings } from "../../../../pipelines/expect/judge-findings.js";
import { parseExpected } from "../../../../pipelines/expect/parse-expected.js";
import type { FindingCode } from "../../../../schemas/codes.js";
import { LakeError } from "../../../../schemas/errors.js";
import { ROOT } from "../../../support/root.js";

/**
 * A file of expectations is read whole or refused with its line, and says which findings are expected and which are
 * new.
 */

function entries(text: string) {
	return parseExpected(Buffer.from(text), "known.jsonl", imageRewardDb);
}

describe("a file of expectations", () => {
	const folder = join(ROOT, "test/fixtures/expect");
	/** What is told of each bad file, after its name. */
	const told: Record<string, string> = {
		"cut-short.jsonl": "line 2: no JSON at column 22: the text ends too early",
		"misspelt-field.array": 'line 5: it has fields that no finding has: "promt_id"',
		"no-code.jsonl": "line 1: code is missing: no finding's code: see docs/codes.md",
		"no-object.array": 'line 2: an entry cannot be "IMAGE_EMPTY": it must be an object',
		"no-shard.jsonl": 'line 1: shard cannot be "training_1": a shard\'s name, such as train_1',
		"not-utf8.jsonl": "it is not UTF-8 text",
		"number-for-text.jsonl": "line 1: member cannot be 3: a text, or null",
		"number-without-split.jsonl": "line 1: shard cannot be 3: a number says too little: give split as well",
		"other-split.jsonl": 'line 2: split cannot be "test": not that of train_1',
		"trailing-comma.array": 'line 3: no JSON at column 1: found "]"',
		"unknown-code.jsonl": 'line 3: code cannot be "IMAGE_BROKEN": no finding\'s code: see docs/codes.md',
	};

	test("every bad one is known", () => expect(Object.keys(told).sort()).toEqual(readdirSync(folder).sort()));

	test.each(Object.entries(told))("%s is refused, naming the line", (name, why) => {
		let thrown: unknown;
		try {
			parseExpected(readFileSync(join(folder, name)), name, imageRewardDb);
		} catch (error) {
			thrown = error;
		}
		expect(thrown).toBeInstanceOf(LakeError);
		const message = expect.stringMatching(/^--expect cannot be read: /);
		expect(thrown).toMatchObject({ code: "USAGE", exit: 2, path: name, message });
		expect((thrown as LakeError).message.replace(/^.*?: \S+?[,:] /, "")).toBe(`${why}.`);
	});

	test("may be an array or lines, with a byte-order mark, with empty lines, or empty", () => {
		const one = { code: "GROUP_COUNT" };
		expect(entries(`\ufeff[${JSON.stringify(one)}]`)).toMatchObject([one]);
		expect(entries(`\r\n${JSON.stringify(one)}\r\n\r\n${JSON.stringify(one)}`)).toMatchObject([one, one]);
		expect([entries(""), entries("\n"), entries("[]")]).toEqual([[], [], []]);
	});

	test("takes rows of the quarantine table and a failed shard's findings as they are", () => {
		const row = { code: "ROW_PATH", severity: "reject", image_path: "x", prompt_id: null, member: null, detail: "d" };
		const more = { row: "{}", bytes: 3, sha256: null };
		const told = { code: "ROW_PATH", image_path: "x", group: null, member: null };
		expect(entries(JSON.stringify({ ...row, ...more, split: "test", shard: 2 }))).toEqual([
			{ ...told, shard: "test_2", split: undefined },
		]);
		expect(entries(JSON.stringify({ ...row, ...more, place: 7 }))).toMatchObject([told]);
	});
});

/** A finding with what is given, all else null. */
function found(code: FindingCode, about: Partial<FoundFinding> = {}): FoundFinding {
	return { code, image_path: null, group: null, member: null, detail: "", ...about };
}

function foundShard(shard: string, rows: FoundFinding[], failure: FoundShard["failure"] = null): FoundShard {
	const findings: FoundShard["findings"] = {};
	for (const { code } of rows) findings[code] = (findings[code] ?? 0) + 1;
	return {
		shard,
		findings,
		async *rows() {
			yield* rows;
		},
		failure,
	};
}

function judge(expected: object[], ...shards: FoundShard[]) {
	const lines = expected.map((one) => JSON.stringify(one)).join("\n");
	return judgeFindings(new Expectations(entries(lines)), imageRewardDb, shards);
}

describe("a finding is expected", () => {
	const member = "a.webp";
	const about = found("IMAGE_EMPTY", { image_path: "images/train/train_2/a.webp", group: "p", member });
	const code = "IMAGE_EMPTY";

	test.each<[object, boolean]>([
		[{ code }, true],
		[{ code: "IMAGE_TRUNCATED" }, false],
		[{ code, shard: "train_2" }, true],
		[{ code, split: "train", shard: 2 }, true],
		[{ code, shard: "train_1" }, false],
		[{ code, shard: "train_20" }, false],
		[{ code, split: "train" }, true],
		[{ code, split: "test" }, false],
		[{ code, image_path: "images/train/train_2/a.webp" }, true],
		[{ code, image_path: "images/train/train_2/b.webp" }, false],
		[{ code, image_path: null }, false],
		[{ code, prompt_id: "p", member: "a.webp" }, true],
		[{ code, prompt_id: "p", member: "b.webp" }, false],
		[{ code, detail: "other", sha256: "other" }, true],
	])("or is not, by %j: %s", async (entry, expected) => {
		const verdict = await judge([entry], foundShard("train_2", [about]));
		expect([verdict.expected, verdict.new]).toEqual(expected ? [{ [code]: 1 }, {}] : [{}, { [code]: 1 }]);
	});

	test("where a null is given, by findings that have none", async () => {
		const verdict = await judge([{ code, member: null }], foundShard("train_2", [about, found(code)]));
		expect([verdict.expected, verdict.new]).toEqual([{ [code]: 1 }, { [code]: 1 }]);
	});
});

test("the first new ones are told, the grave ones first, up to a hundred", async () => {
	const many = Array.from({ length: 150 }, (_, at) => found("IMAGE_ORPHAN", { member: `${at}.webp` }));
	const failure = { code: "ZIP_CORRUPT" as const, detail: "no end record" };
	const shards = [foundShard("train_1", [...many, found("ROW_PATH")]), foundShard("train_2", [], failure)];
	const verdict = await judge([{ code: "IMAGE_ORPHAN", member: "3.webp" }], ...shards);
	expect(verdict.new).toEqual({ IMAGE_ORPHAN: 149, ROW_PATH: 1, ZIP_CORRUPT: 1 });
	expect(verdict.first.slice(0, 3)).toMatchObject([
		{ code: "ZIP_CORRUPT", severity: "fatal", shard: "train_2", detail: "no end record" },
		{ code: "ROW_PATH", severity: "reject", shard: "train_1" },
		{ code: "IMAGE_ORPHAN", severity: "warn", member: "0.webp" },
	]);
	expect(verdict.first).toHaveLength(100);
});

test("what met nothing is counted, as far as its shard was looked at", async () => {
	const verdict = await judge(
		[
			{ code: "IMAGE_EMPTY" },
			{ code: "ROW_PATH", shard: "train_1" },
			{ code: "ROW_PATH", shard: "train_2" },
			{ code: "ROW_PATH", split: "test" },
			{ code: "ROW_PATH", image_path: "images/train/train_9/x.webp" },
			{ code: "GROUP_COUNT", split: "train" },
		],
		foundShard("train_1", [found("GROUP_COUNT")]),
	);
	expect(verdict.notFound).toBe(2);
});

test("where rows cannot be read, counts are judged by code, shard and split", async () => {
	const lost = new Error("elsewhere");
	const shard: FoundShard = {
		shard: "train_1",
		findings: { IMAGE_EMPTY: 3, ROW_PATH: 2, GROUP_COUNT: 1 },
		async *rows() {
			yield found("IMAGE_EMPTY");
			throw lost;
		},
		failure: null,
	};
	const expected = [
		{ code: "IMAGE_EMPTY", split: "train" },
		{ code: "ROW_PATH", member: "a.webp" },
	];
	const verdict = await judge(expected, shard);
	expect([verdict.expected, verdict.new]).toEqual([{ IMAGE_EMPTY: 3 }, { ROW_PATH: 2, GROUP_COUNT: 1 }]);
	expect(verdict).toMatchObject({ unread: [{ shard: "train_1", cause: lost }], first: [] });
});

test("nothing is read of a shard without findings", async () => {
	const rows = (): never => {
		throw new Error("it was read");
	};
	const verdict = await judge([], { shard: "train_1", findings: {}, rows, failure: null });
	expect(verdict).toEqual({ expected: {}, new: {}, first: [], notFound: 0, unread: [] });
});
