import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { lakeFiles, latestSnapshot } from "../faults/lake.js";
import { type HubHandle, startHub } from "../hub/client.js";
import { makeSample, type SampleOptions } from "../sample/make.js";
import { runCli } from "../support/cli.js";
import { tempDir } from "../support/root.js";
import { type From, type Mirrored, mirror, receiptsOf, rowsOf, scratchOf, verify } from "./mirror-run.js";

/** A selective mirror publishes what it would had it read every byte, and says what it did not read. */

const SAMPLE = { shards: ["train_1", "train_2", "train_3", "train_4", "test_1"], images: 110, size: 96, seed: 1 };
/** Of few chosen rows those of a defect are many. */
const SHARDS = ["--shards", SAMPLE.shards.join(","), "--max-reject-ratio", "1"];
const DIFFED = SHARDS.slice(0, 2);
const WHERE = "overall_rating >= 6 AND fidelity_rating > 5";
const LONG = 300_000;

let temp: ReturnType<typeof tempDir>;
let hub: HubHandle;
/** Folders of zips: with one of each defect, and without. */
let bad: string;
let good: string;
let ranged: string;
let rangedRun: Mirrored;

beforeAll(async () => {
	temp = tempDir("selective");
	[bad, good] = [join(temp.path, "bad"), join(temp.path, "good")];
	await makeSample(bad, { ...SAMPLE, defects: true, planted: null });
	await makeSample(good, SAMPLE);
	hub = await startHub(bad);
	ranged = join(temp.path, "ranged");
	rangedRun = await mirror({ endpoint: hub.endpoint }, ranged, [...SHARDS, "--where", WHERE]);
}, LONG);
afterAll(async () => {
	await hub?.stop();
	temp.remove();
});

async function lakeOf(name: string, from: From, ...args: string[]): Promise<string> {
	const lake = join(temp.path, name);
	const run = await mirror(from, lake, [...SHARDS, ...args]);
	expect(run).toMatchObject({ code: 0, document: { state: "published" } });
	return lake;
}

/** Objects and parquet, by path: their names are their content's. */
function dataOf(lake: string): string[] {
	return lakeFiles(lake).filter((path) => path.startsWith("objects/") || path.endsWith(".parquet"));
}

/** Receipts as they stand, but for what may differ between sources. */
function comparable(lake: string): unknown {
	return Object.entries(receiptsOf(lake)).map(([shard, { inputs, ...rest }]) => {
		const { zip_hash_checked: _, ...same } = inputs;
		return { ...rest, shard, inputs: same };
	});
}

function total(lake: string): Record<string, number> {
	return latestSnapshot(lake).counts as unknown as Record<string, number>;
}

describe("read by ranges, whole, or unpacked, the lake is the same", () => {
	test(
		"with one of each defect: by ranges from the Hub, and whole from a folder",
		async () => {
			const whole = await lakeOf("whole", { folder: bad }, "--where", WHERE);
			expect(dataOf(ranged)).toEqual(dataOf(whole));
			expect(comparable(ranged)).toEqual(comparable(whole));
			const checked = (lake: string) => Object.values(receiptsOf(lake)).map(({ inputs }) => inputs.zip_hash_checked);
			expect(new Set(checked(whole))).toEqual(new Set([true]));
			expect(checked(ranged).filter((one) => one === false).length).toBeGreaterThan(2);
		},
		LONG,
	);

	test.each<[string, string[]]>([
		["image", []],
		["prompt", ["--where-mode", "prompt"]],
	])(
		"by %s: from the Hub, from a folder of zips, and unpacked",
		async (mode, args) => {
			const own = await startHub(good);
			try {
				const where = ["--where", "md5(image_path) < '08'", ...args];
				const fromHub = await lakeOf(`hub-${mode}`, { endpoint: own.endpoint }, ...where);
				const fromZips = await lakeOf(`zips-${mode}`, { folder: good }, ...where);
				const unpacked = join(temp.path, `unpacked-${mode}-source`);
				await makeSample(unpacked, { ...SAMPLE, layout: "unpacked" } as SampleOptions);
				const fromUnpacked = await lakeOf(`unpacked-${mode}`, { folder: unpacked }, ...where);
				expect(dataOf(fromHub)).toEqual(dataOf(fromZips));
				expect(dataOf(fromHub)).toEqual(dataOf(fromUnpacked));
				expect(comparable(fromHub)).toEqual(comparable(fromZips));
				expect(Object.values(receiptsOf(fromHub)).some(({ inputs }) => inputs.zip_hash_checked === false)).toBe(true);
			} finally {
				await own.stop();
			}
		},
		LONG,
	);

	test(
		"whatever befalls the network",
		async () => {
			const own = await startHub(good);
			try {
				const where = [
					"--where",
					"md5(image_path) < '08'",
					"--retry-wait",
					"0",
					"--idle-timeout",
					"1",
					"--retries",
					"30",
				];
				await own.chance({ rate: 0.25, seed: "selective" });
				const stormy = await lakeOf("stormy", { endpoint: own.endpoint }, ...where);
				expect(dataOf(stormy)).toEqual(
					dataOf(await lakeOf("calm", { folder: good }, "--where", "md5(image_path) < '08'")),
				);
				expect(Object.keys((await own.counters()).faults).length).toBeGreaterThan(3);
			} finally {
				await own.stop();
			}
		},
		LONG,
	);
});

describe("what is chosen", () => {
	test(
		"is every good image of which the predicate is true, and none else",
		async () => {
			const all = await lakeOf("all", { folder: bad }, "--max-reject-ratio", "1");
			const paths = (rows: Record<string, unknown>[]) => rows.map(({ image_path }) => image_path).sort();
			const fit = (await rowsOf(all, "images")).filter((row) => {
				return Number(row.overall_rating) >= 6 && Number(row.fidelity_rating) > 5;
			});
			expect(paths(await rowsOf(ranged, "images"))).toEqual(paths(fit));
		},
		LONG,
	);

	test("adds up, with what is not, in receipts, snapshot and document", () => {
		const counts = total(ranged);
		const { rows_in = 0, rows_published = 0, rows_rejected = 0, rows_unselected = 0 } = counts;
		const { members_in = 0, members_published = 0, members_rejected = 0, orphans = 0, members_unselected = 0 } = counts;
		expect(rows_in).toBe(rows_published + rows_rejected + rows_unselected);
		expect(members_in).toBe(members_published + members_rejected + orphans + members_unselected);
		expect(rows_unselected).toBeGreaterThan(300);
		expect(rangedRun.document.counts).toMatchObject({ rows_unselected, members_unselected });
	});

	test(
		"by prompt is whole prompts of a shard",
		async () => {
			const lake = await lakeOf(
				"prompts",
				{ folder: good },
				"--where",
				"rank = 1 AND overall_rating = 7",
				"--where-mode",
				"prompt",
			);
			const prompts = await rowsOf(lake, "prompts");
			expect(prompts.length).toBeGreaterThan(5);
			for (const { image_count, expected_count } of prompts) expect(image_count).toBe(expected_count);
			expect(total(lake).rows_unselected).toBeGreaterThan(50);
		},
		LONG,
	);

	test(
		"may be nothing: a receipt, and no table file",
		async () => {
			const lake = await lakeOf("nothing", { folder: good }, "--where", "overall_rating > 90");
			expect(total(lake)).toMatchObject({
				rows_published: 0,
				rows_unselected: 550,
				members_unselected: 550,
				prompts: 0,
			});
			expect(dataOf(lake)).toEqual([]);
			expect(await verify(lake)).toEqual({ code: 0, problems: [] });
		},
		LONG,
	);
});

describe("the lake says so", () => {
	test(
		"verify counts the zips whose hash was never checked, and finds nothing amiss",
		async () => {
			const end = await runCli(["verify", "--lake", ranged, "--scratch", scratchOf(ranged), "--deep"]);
			expect(end.code).toBe(0);
			expect(end.stdout).toMatch(/the SHA-256 of \d zips was never checked: only parts were fetched/);
		},
		LONG,
	);

	test(
		"verify notices counts that do not belong to the settings",
		async () => {
			const lake = await lakeOf("counts", { folder: good }, "--where", "rank = 1");
			const { shards } = latestSnapshot(lake);
			const path = join(lake, shards[0]?.receipt ?? "");
			const { writeFileSync } = await import("node:fs");
			writeFileSync(
				path,
				readFileSync(path, "utf8")
					.replace(/\n {4}"rows_unselected": \d+/, "")
					.replace('"rows_rejected": 0,', '"rows_rejected": 0'),
			);
			expect(await verify(lake)).toMatchObject({
				code: 4,
				problems: expect.arrayContaining([expect.objectContaining({ code: "COUNT_MISMATCH" })]),
			});
		},
		LONG,
	);

	test(
		"status and the closing summary tell the predicate",
		async () => {
			const end = await runCli(["status", "--lake", ranged], { REDIS_URL: "redis://127.0.0.1:1" });
			expect(end.stdout).toContain(`images where ${WHERE}`);
			expect(end.stdout).toMatch(/\d+ images published, \d+ rows not chosen/);
			expect(end.stdout).toMatch(/of \d of 5 zips only parts were fetched/);
			for (const line of end.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
		},
		LONG,
	);

	test(
		"it can be exported, and compared with its source",
		async () => {
			const out = join(temp.path, "out");
			const exported = await runCli([
				"export",
				"files",
				"--lake",
				ranged,
				"--out",
				out,
				"--scratch",
				scratchOf(ranged),
				"--json",
			]);
			expect(exported.code).toBe(0);
			const images = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".webp"));
			expect(images).toHaveLength(total(ranged).rows_published ?? 0);
			const diff = await runCli([
				"diff",
				"latest",
				"source",
				"--lake",
				ranged,
				...DIFFED,
				"--source",
				`file://${bad}`,
				"--json",
			]);
			expect([diff.code, JSON.parse(diff.stdout).equal]).toEqual([0, true]);
		},
		LONG,
	);

	test(
		"plan tells what is chosen and what is saved, and writes nothing",
		async () => {
			const lake = join(temp.path, "planned");
			const end = await runCli(
				["plan", "--lake", lake, "--scratch", scratchOf(lake), ...SHARDS, "--where", WHERE, "--json"],
				{
					HF_ENDPOINT: hub.endpoint,
				},
			);
			const told = JSON.parse(end.stdout);
			expect(told.settings).toMatchObject({ where: WHERE, where_mode: "image" });
			expect(told.bytes_to_fetch + told.bytes_saved).toBe(told.bytes);
			expect(told.images).toBeGreaterThan(540);
			expect(told.images_chosen).toBeLessThan(told.images / 3);
			const [first] = told.shards;
			expect(first).toMatchObject({ ranged: true, bytes_to_fetch: first.bytes - first.bytes_saved });
			expect(existsSync(lake)).toBe(false);
			// About what it came to.
			const fetched = rangedRun.document.bytes_downloaded;
			expect(Math.abs(fetched - told.bytes_to_fetch)).toBeLessThan(0.2 * fetched);
		},
		LONG,
	);
});

describe("the predicate is the lake's", () => {
	test(
		"not given, the next run is up to date; another one is refused unless it is meant",
		async () => {
			const lake = await lakeOf("settled", { folder: good }, "--where", `  ${WHERE}\n`);
			expect(latestSnapshot(lake).settings).toMatchObject({ where: WHERE, where_mode: "image" });
			const again = await mirror({ folder: good }, lake, SHARDS);
			expect(again).toMatchObject({ code: 0, document: { state: "up_to_date" } });
			for (const args of [
				["--where", "rank = 1"],
				["--where", ""],
				["--where-mode", "prompt"],
			]) {
				const other = await mirror({ folder: good }, lake, [...SHARDS, ...args]);
				expect(other).toMatchObject({ code: 2, document: { error: { code: "SETTINGS_DIFFER" } } });
			}
			const all = await mirror({ folder: good }, lake, [...SHARDS, "--where", "", "--new-settings"]);
			expect(all).toMatchObject({ code: 0, document: { state: "published", number: 2 } });
			const { settings, counts } = latestSnapshot(lake);
			expect([settings.where, "where_mode" in settings, counts.rows_published]).toEqual([null, false, 550]);
			expect([counts.rows_unselected, counts.members_unselected]).toEqual([undefined, undefined]);
			const { inputs } = Object.values(receiptsOf(lake))[0] ?? {};
			expect(inputs && "zip_hash_checked" in inputs).toBe(false);
		},
		LONG,
	);

	test.each([
		["random() < 0.5", "the function random cannot be used"],
		["overall_ratng > 5", "there is no column overall_ratng"],
		["1 = 1; DROP TABLE x", "it cannot be read"],
		["overall_rating", "not yes or no"],
	])("%s is refused before anything is begun", async (where, told) => {
		await hub.reset();
		const lake = join(temp.path, "refused");
		const run = await mirror({ endpoint: hub.endpoint }, lake, [...SHARDS, "--where", where]);
		expect(run).toMatchObject({ code: 2, document: { error: { code: "USAGE", path: "--where" } } });
		expect(run.document.error?.message).toContain(told);
		expect(existsSync(lake) || existsSync(scratchOf(lake))).toBe(false);
		expect((await hub.counters()).api.requests).toBe(0);
	});

	test("a mode without a predicate means nothing", async () => {
		const run = await mirror({ folder: good }, join(temp.path, "mode"), [...SHARDS, "--where-mode", "prompt"]);
		expect(run).toMatchObject({ code: 2, document: { error: { code: "USAGE" } } });
	});
});
