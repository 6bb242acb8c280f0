import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { runCli } from "../../support/cli.js";
import { latestSnapshot } from "../../support/lake.js";
import { tempDir } from "../../support/root.js";
import { makeSample } from "../../tools/sample/make.js";

/** Whatever is damaged in a lake is found, under the right code, and named. */

const root = tempDir("verify");
const good = join(root.path, "good");
let lakes = 0;

beforeAll(async () => {
	const source = join(root.path, "source");
	await makeSample(source, { shards: ["test_1", "test_2"], images: 4, size: 24 });
	// Two snapshots: the second adds a shard.
	for (const shard of ["test_1", "test_2"]) {
		const args = ["mirror", "--shards", shard, "--source", `file://${source}`, "--lake", good];
		const end = await runCli([...args, "--scratch", join(root.path, "scratch")]);
		if (end.code !== 0) throw new Error(end.stderr);
	}
}, 120_000);
afterAll(() => root.remove());

interface Audit {
	code: number | null;
	ok: boolean;
	problems: { code: string; path: string; detail: string }[];
	error: { code: string } | null;
}

async function verify(lake: string, ...more: string[]): Promise<Audit> {
	const end = await runCli(["verify", "--lake", lake, "--scratch", join(root.path, "scratch"), "--json", ...more]);
	return { code: end.code, ...JSON.parse(end.stdout) };
}

/** A copy of the good lake. */
function copy(): string {
	const lake = join(root.path, `lake-${++lakes}`);
	cpSync(good, lake, { recursive: true });
	return lake;
}

function filesBelow(folder: string, ending: string): string[] {
	return readdirSync(join(good, folder), { recursive: true, encoding: "utf8" })
		.filter((name) => name.endsWith(ending))
		.sort()
		.map((name) => `${folder}/${name}`);
}

function edit(file: string, change: (text: string) => string): void {
	const before = readFileSync(file, "utf8");
	const after = change(before);
	if (after === before) throw new Error(`${file} was not changed`);
	writeFileSync(file, after);
}

function flipByte(file: string): void {
	const content = readFileSync(file);
	const middle = content.length >> 1;
	content[middle] = (content[middle] ?? 0) ^ 1;
	writeFileSync(file, content);
}

const log = (table: string, version: number): string =>
	`tables/${table}/_delta_log/${String(version).padStart(20, "0")}.json`;

/** Removes a line of a log that holds the action. */
function cutLine(action: string): (file: string) => void {
	return (file) =>
		edit(file, (text) => {
			const lines = text.split("\n");
			const at = lines.findIndex((line) => line.startsWith(`{"${action}"`));
			return lines.filter((_, index) => index !== at).join("\n");
		});
}

const object = (): string => filesBelow("objects", ".webp")[0] ?? "";
const parquet = (table: string) => (): string => filesBelow(`tables/${table}`, ".parquet")[0] ?? "";
const receipt = (): string => filesBelow("receipts", ".json")[0] ?? "";
const newest = (): string => filesBelow("snapshots", ".json")[1] ?? "";
const oldest = (): string => filesBelow("snapshots", ".json")[0] ?? "";
const fixed = (path: string) => (): string => path;
const becomesFolder = (file: string): void => {
	rmSync(file);
	mkdirSync(file);
};

test("an intact lake: exit 0, everything looked at, nothing written", async () => {
	const lake = copy();
	const before = readdirSync(lake, { recursive: true }).length;
	const audit = await verify(lake, "--deep");
	expect(audit).toMatchObject({ code: 0, ok: true, problems: [], error: null });
	expect(audit).toMatchObject({ checked: { snapshots: 2, receipts: 2, objects: 8, decoded: 8 } });
	expect(readdirSync(lake, { recursive: true })).toHaveLength(before);
}, 30_000);

describe("damage ends with 4 and names its code and path", () => {
	test.each([
		["an object is gone", object, rmSync, "OBJECT_MISSING"],
		["an object has a byte more", object, (file: string) => appendFileSync(file, "x"), "OBJECT_SIZE"],
		["a byte of an object is another", object, flipByte, "OBJECT_HASH"],
		["an object is a folder", object, becomesFolder, "OBJECT_MISSING"],
		["a file of images is gone", parquet("images"), rmSync, "FILE_MISSING"],
		["a file of prompts is cut", parquet("prompts"), (file: string) => writeFileSync(file, "PAR1"), "FILE_SIZE"],
		["a byte of a file of pairs is another", parquet("pairs"), flipByte, "FILE_HASH"],
		["a byte of a file of images is another", parquet("images"), flipByte, "FILE_HASH"],
		["a receipt is gone", receipt, rmSync, "RECORD_INVALID"],
		["a receipt is cut", receipt, (file: string) => edit(file, (text) => text.slice(0, 200)), "RECORD_INVALID"],
		[
			"a receipt is another shard's",
			receipt,
			(file: string) => edit(file, (text) => text.replaceAll("test_1", "test_2")),
			"RECORD_INVALID",
		],
		[
			"a receipt has other settings",
			receipt,
			(file: string) => edit(file, (text) => text.replace("drop-image", "drop-group")),
			"RECORD_INVALID",
		],
		[
			"a receipt's parts do not sum up",
			receipt,
			(file: string) => edit(file, (text) => text.replace('"rows_rejected": 0', '"rows_rejected": 1')),
			"COUNT_MISMATCH",
		],
		[
			"the newest snapshot was edited",
			newest,
			(file: string) => edit(file, (text) => text.replace('"rows_in": 8', '"rows_in": 9')),
			"RECORD_INVALID",
		],
		[
			"an old snapshot was edited",
			oldest,
			(file: string) => edit(file, (text) => text.replace('"rows_in": 4', '"rows_in": 5')),
			"RECORD_INVALID",
		],
		["the newest snapshot is gone", newest, rmSync, "RECORD_INVALID"],
		["an old snapshot is gone", oldest, rmSync, "RECORD_INVALID"],
		["latest.json is no JSON", fixed("latest.json"), (file: string) => writeFileSync(file, "{"), "RECORD_INVALID"],
		["latest.json is empty", fixed("latest.json"), (file: string) => writeFileSync(file, ""), "RECORD_INVALID"],
		[
			"latest.json tells another number",
			fixed("latest.json"),
			(file: string) => edit(file, (text) => text.replace('"number": 2', '"number": 1')),
			"RECORD_INVALID",
		],
		["latest.json is gone", fixed("latest.json"), rmSync, "RECORD_INVALID"],
		[
			"a log lacks a line at its end",
			fixed(log("pairs", 0)),
			(file: string) => edit(file, (text) => text.replace(/[^\n]*\n$/, "")),
			"LOG_MISMATCH",
		],
		["a log lacks what it adds", fixed(log("images", 1)), cutLine("add"), "LOG_MISMATCH"],
		["a log lacks its schema", fixed(log("images", 0)), cutLine("metaData"), "LOG_MISMATCH"],
		[
			"a log adds another path",
			fixed(log("prompts", 1)),
			(file: string) => edit(file, (text) => text.replace("shard=2", "shard=1")),
			"LOG_MISMATCH",
		],
		[
			"a log gives another partition",
			fixed(log("prompts", 1)),
			(file: string) => edit(file, (text) => text.replace('"shard":"2"', '"shard":"1"')),
			"LOG_MISMATCH",
		],
		[
			"a log gives another size",
			fixed(log("pairs", 1)),
			(file: string) => edit(file, (text) => text.replace(/"size":\d/, '"size":9')),
			"LOG_MISMATCH",
		],
		["a log is empty", fixed(log("images", 1)), (file: string) => writeFileSync(file, ""), "LOG_MISMATCH"],
		["a log is no JSON", fixed(log("quarantine", 1)), (file: string) => writeFileSync(file, "{\n"), "LOG_MISMATCH"],
		["a log is gone", fixed(log("quarantine", 0)), rmSync, "LOG_MISMATCH"],
		["the first log of images is gone", fixed(log("images", 0)), rmSync, "LOG_MISMATCH"],
		[
			"somebody else wrote a version",
			fixed(log("pairs", 2)),
			(file: string) => writeFileSync(file, '{"commitInfo":{}}\n'),
			"LOG_MISMATCH",
		],
		[
			"a version stands behind a gap",
			fixed(log("images", 5)),
			(file: string) => cpSync(file.replace("05.json", "01.json"), file),
			"LOG_MISMATCH",
		],
	] as const)(
		"%s",
		async (_, which, damage, code) => {
			const lake = copy();
			const path = which();
			damage(join(lake, path));
			const { code: exit, ok, problems, error } = await verify(lake);
			expect({ exit, ok, error }).toEqual({ exit: 4, ok: false, error: null });
			const found = problems.map((problem) => `${problem.code} ${problem.path}`);
			expect(found).toContain(`${code} ${path}`);
			expect(problems.every(({ detail }) => detail.length > 0)).toBe(true);
		},
		30_000,
	);
});

test("every problem is told, not the first alone", async () => {
	const lake = copy();
	rmSync(join(lake, object()));
	flipByte(join(lake, parquet("pairs")()));
	edit(join(lake, log("prompts", 1)), (text) => text.replace("shard=2", "shard=1"));
	const { problems } = await verify(lake);
	expect(problems.map(({ code }) => code).sort()).toEqual(["FILE_HASH", "LOG_MISMATCH", "OBJECT_MISSING"]);
}, 30_000);

test("what readers cannot see is no damage: leftovers of a writer, objects that no table names", async () => {
	const lake = copy();
	mkdirSync(join(lake, ".irlake/staged/dead"), { recursive: true });
	writeFileSync(join(lake, ".irlake/staged/dead/x.webp"), "x");
	mkdirSync(join(lake, "objects/sha256/00"), { recursive: true });
	writeFileSync(join(lake, "objects/sha256/00", `${"0".repeat(64)}.webp`), "x");
	expect(await verify(lake)).toMatchObject({ code: 0, ok: true });
}, 30_000);

test("counts in every snapshot reconcile with its tables", () => {
	const { counts, tables } = latestSnapshot(good);
	const rows = (table: keyof typeof tables): number =>
		(tables[table]?.files ?? []).reduce((sum, file) => sum + file.rows, 0);
	expect(counts.rows_in).toBe(counts.rows_published + counts.rows_rejected);
	expect(counts.members_in).toBe(counts.members_published + counts.members_rejected + counts.orphans);
	expect([rows("images"), rows("prompts"), rows("pairs")]).toEqual([
		counts.rows_published,
		counts.prompts,
		counts.pairs,
	]);
});
