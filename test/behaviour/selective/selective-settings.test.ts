import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { latestSnapshot } from "../../support/lake.js";
import { mirror, receiptsOf, scratchOf } from "../../support/mirror-run.js";
import { tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import { makeSample, type SampleOptions } from "../../tools/sample/make.js";

/** The predicate is one of the lake's settings; one that is refused leaves no trace. */

const SAMPLE = { shards: ["train_1", "test_1"], images: 12, size: 32, seed: 1 } satisfies SampleOptions;
const SHARDS = ["--shards", SAMPLE.shards.join(",")];

let temp: ReturnType<typeof tempDir>;
let folder: string;
let hub: HubHandle;

beforeAll(async () => {
	temp = tempDir("selective-settings");
	folder = join(temp.path, "source");
	await makeSample(folder, SAMPLE);
	hub = await startHub(folder);
}, 120_000);
afterAll(async () => {
	await hub?.stop();
	temp.remove();
});

test("not given, the next run is up to date; another one is refused unless it is meant", async () => {
	const lake = join(temp.path, "lake");
	const first = await mirror({ folder }, lake, [...SHARDS, "--where", "  rank <= 2\n"]);
	expect(first).toMatchObject({ code: 0, document: { state: "published" } });
	expect(latestSnapshot(lake).settings).toMatchObject({ where: "rank <= 2", where_mode: "image" });
	expect(await mirror({ folder }, lake, SHARDS)).toMatchObject({ code: 0, document: { state: "up_to_date" } });
	for (const args of [
		["--where", "rank = 1"],
		["--where", ""],
		["--where-mode", "prompt"],
	]) {
		const other = await mirror({ folder }, lake, [...SHARDS, ...args]);
		expect(other).toMatchObject({ code: 2, document: { error: { code: "SETTINGS_DIFFER" } } });
	}
}, 60_000);

test("taken off, the lake is one that never had it", async () => {
	const lake = join(temp.path, "taken-off");
	await mirror({ folder }, lake, [...SHARDS, "--where", "rank <= 2", "--where-mode", "prompt"]);
	expect(latestSnapshot(lake).settings.where_mode).toBe("prompt");
	const all = await mirror({ folder }, lake, [...SHARDS, "--where", "", "--new-settings"]);
	expect(all).toMatchObject({ code: 0, document: { state: "published", number: 2 } });
	const plain = join(temp.path, "plain");
	await mirror({ folder }, plain, SHARDS);
	expect(receiptsOf(lake)).toEqual(receiptsOf(plain));
	const { settings, counts } = latestSnapshot(lake);
	expect([settings.where, "where_mode" in settings, "rows_unselected" in counts]).toEqual([null, false, false]);
	for (const { inputs } of Object.values(receiptsOf(lake))) expect("zip_hash_checked" in inputs).toBe(false);
}, 60_000);

test.each([
	["random() < 0.5", "the function random cannot be used"],
	["overall_ratng > 5", "there is no column overall_ratng"],
	["1 = 1; DROP TABLE x", "it cannot be read"],
	["overall_rating", "not yes or no"],
	["x".repeat(5000), "at most 4000 characters"],
])(
	"%.30s is refused before anything is begun",
	async (where, told) => {
		await hub.reset();
		const lake = join(temp.path, "refused");
		const run = await mirror({ endpoint: hub.endpoint }, lake, [...SHARDS, "--where", where]);
		expect(run).toMatchObject({ code: 2, document: { error: { code: "USAGE", path: "--where" } } });
		expect(run.document.error?.message).toContain(told);
		expect(existsSync(lake) || existsSync(scratchOf(lake))).toBe(false);
		expect((await hub.counters()).api.requests).toBe(0);
	},
	30_000,
);

test("a mode without a predicate means nothing", async () => {
	const run = await mirror({ folder }, join(temp.path, "mode"), [...SHARDS, "--where-mode", "prompt"]);
	expect(run).toMatchObject({ code: 2, document: { error: { code: "USAGE" } } });
}, 30_000);
