import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import {
	lakeDigest,
	type PinnedReader,
	pinnedReader,
	pythonVerdict,
	recompute,
	requireOrSkip,
} from "../support/python.js";
import { ROOT, tempDir } from "../support/root.js";
import { runProgram } from "../support/run-program.js";
import { makeSample } from "../tools/sample/make.js";

/** The independent checkers notice each kind of damage: one that cannot fail proves nothing. */

const LogCheck = z.object({ problems: z.array(z.string()) });

/** Every file below a folder whose path ends so, sorted. */
function filesEnding(folder: string, end: string): string[] {
	const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
	return names
		.filter((name) => name.endsWith(end))
		.sort()
		.map((name) => join(folder, name));
}

function firstEnding(folder: string, end: string): string {
	const [first] = filesEnding(folder, end);
	if (first === undefined) throw new Error(`no ${end} below ${folder}`);
	return first;
}

function edit(file: string, change: (text: string) => string): void {
	writeFileSync(file, change(readFileSync(file, "utf8")));
}

const commit = (lake: string, table: string, version = 0) =>
	join(lake, "tables", table, "_delta_log", `${String(version).padStart(20, "0")}.json`);
const cutLastLine = (text: string) => text.slice(0, text.trimEnd().lastIndexOf("\n") + 1);
const lastLine = (text: string) => text.trimEnd().split("\n").at(-1) ?? "";

/** A commit that removes and adds the same path. */
function removeAndAdd(lake: string): void {
	const add = lastLine(readFileSync(commit(lake, "images"), "utf8"));
	const snapshot = JSON.stringify({ commitInfo: { irlakeSnapshot: "snapshots/x.json" } });
	writeFileSync(commit(lake, "images", 1), `${snapshot}\n${add.replace('{"add"', '{"remove"')}\n${add}\n`);
}

type Damage = [name: string, damage: (lake: string) => void];

const seenByReader: Damage[] = [
	["an object is missing", (lake) => rmSync(firstEnding(join(lake, "objects"), ".webp"))],
	["an object is cut", (lake) => truncateSync(firstEnding(join(lake, "objects"), ".webp"), 100)],
	[
		"a parquet file has one other byte",
		(lake) => {
			const file = firstEnding(join(lake, "tables/pairs"), ".parquet");
			const content = readFileSync(file);
			content[40] = (content[40] ?? 0) ^ 1;
			writeFileSync(file, content);
		},
	],
	["a receipt is missing", (lake) => rmSync(firstEnding(join(lake, "receipts"), ".json"))],
	[
		"the snapshot has one more byte",
		(lake) => edit(firstEnding(join(lake, "snapshots"), ".json"), (text) => `${text}\n`),
	],
	["a commit is cut at a line", (lake) => edit(commit(lake, "prompts"), cutLastLine)],
	["a table's commit is missing", (lake) => rmSync(commit(lake, "quarantine"))],
];

const seenInLog: Damage[] = [
	["a commit is cut at a line", (lake) => edit(commit(lake, "prompts"), cutLastLine)],
	["a commit does not end in a newline", (lake) => edit(commit(lake, "pairs"), (text) => text.trimEnd())],
	["a version is left out", (lake) => cpSync(commit(lake, "images"), commit(lake, "images", 2))],
	["a path is removed and added at once", removeAndAdd],
	[
		"the row count in the statistics is wrong",
		(lake) => edit(commit(lake, "images"), (text) => text.replace('numRecords\\":', 'numRecords\\":1')),
	],
	["a size is wrong", (lake) => edit(commit(lake, "images"), (text) => text.replace('"size":', '"size":1'))],
	["the retention is not set", (lake) => edit(commit(lake, "images"), (text) => text.replace("36500 days", "7 days"))],
	["a path is encoded", (lake) => edit(commit(lake, "images"), (text) => text.replace("split=", "split%3D"))],
];

const describePython = await requireOrSkip();

describePython("a lake that is damaged after it was mirrored", () => {
	let temp: ReturnType<typeof tempDir>;
	let source: string;
	let whole: string;
	let lake: string;
	let reader: PinnedReader;

	beforeAll(async () => {
		temp = tempDir("checkers");
		[source, whole, lake] = [join(temp.path, "source"), join(temp.path, "whole"), join(temp.path, "lake")];
		await makeSample(source, { shards: ["test_1"], images: 12, seed: 5, size: 64 });
		const args = ["mirror", "--source", `file://${source}`, "--lake", whole, "--shards", "test_1", "--json"];
		args.push("--scratch", join(temp.path, "scratch"));
		const ended = await runProgram(process.execPath, [join(ROOT, "bin/irlake.js"), ...args]);
		if (ended.code !== 0) throw new Error(`irlake mirror ended with ${ended.code}: ${ended.stdout}${ended.stderr}`);
		reader = await pinnedReader();
	});

	afterAll(async () => {
		await reader?.stop();
		temp.remove();
	});

	function damaged(damage: (lake: string) => void): string {
		rmSync(lake, { recursive: true, force: true });
		cpSync(whole, lake, { recursive: true });
		damage(lake);
		return lake;
	}

	test("without damage every checker is content", async () => {
		expect(await reader.check(whole)).toEqual({ state: "whole", number: 1 });
		expect(await pythonVerdict(LogCheck, "check_delta_log.py", [whole])).toMatchObject({ problems: [] });
		expect(await recompute(source, whole)).toMatchObject({ different: 0 });
	});

	test("a folder without latest.json is no lake yet", async () => {
		expect(await reader.check(source)).toEqual({ state: "none" });
	});

	test.each(seenByReader)("the pinned reader notices that %s", async (_, damage) => {
		expect(await reader.check(damaged(damage))).toMatchObject({ state: "broken" });
	});

	test.each(seenInLog)("the log check notices that %s", async (_, damage) => {
		const { problems } = await pythonVerdict(LogCheck, "check_delta_log.py", [damaged(damage)]);
		expect(problems).not.toEqual([]);
	});

	test("the recomputation notices rows in another order, in the files only", async () => {
		const other = join(temp.path, "other-order");
		await makeSample(other, { shards: ["test_1"], images: 12, seed: 5, size: 64, layout: "unpacked" });
		const json = firstEnding(other, "test_1.json");
		const rows: unknown[] = JSON.parse(readFileSync(json, "utf8"));
		writeFileSync(json, JSON.stringify(rows.toSpliced(0, 2, rows[1], rows[0])));
		const verdict = await recompute(other, whole, ["--examples", "1000"]);
		expect(verdict.different).toBeGreaterThan(0);
		for (const example of verdict.examples) expect(JSON.stringify(example)).toContain(".parquet row");
	});

	test("the recomputation notices one rating", async () => {
		const other = join(temp.path, "other-rating");
		await makeSample(other, { shards: ["test_1"], images: 12, seed: 5, size: 64, layout: "unpacked" });
		const json = firstEnding(other, "test_1.json");
		edit(json, (text) =>
			text.replace(/"fidelity_rating": (\d)/, (_, digit) => `"fidelity_rating": ${(Number(digit) % 7) + 1}`),
		);
		const { different } = await recompute(other, whole);
		expect(different).toBeGreaterThan(0);
	});

	test("the digest changes with one byte, and not with .irlake/", async () => {
		const before = await lakeDigest(whole);
		const inside = damaged((copy) => writeFileSync(join(copy, ".irlake", "probe"), "x"));
		expect(await lakeDigest(inside)).toBe(before);
		writeFileSync(join(dirname(firstEnding(lake, ".parquet")), "stray"), "x");
		expect(await lakeDigest(lake)).not.toBe(before);
	});
});
