import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CliEnd, runCli } from "../../support/cli.js";
import { latestSnapshot } from "../../support/lake.js";
import { type Mirrored, mirror, scratchOf, verify } from "../../support/mirror-run.js";
import { tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import { makeSample, type SampleOptions } from "../../tools/sample/make.js";

/** A selective lake says what it holds, what was not fetched, and what could not be checked. */

const SAMPLE = { shards: ["train_1", "test_1"], images: 110, size: 96, seed: 1 } satisfies SampleOptions;
const SHARDS = ["--shards", SAMPLE.shards.join(",")];
const WHERE = "md5(image_path) < '18' AND rank < 9";

let temp: ReturnType<typeof tempDir>;
let source: string;
let hub: HubHandle;
let lake: string;
let run: Mirrored;

beforeAll(async () => {
	temp = tempDir("selective-told");
	[source, lake] = [join(temp.path, "source"), join(temp.path, "lake")];
	await makeSample(source, SAMPLE);
	hub = await startHub(source);
	run = await mirror({ endpoint: hub.endpoint }, lake, [...SHARDS, "--where", WHERE]);
	expect(run).toMatchObject({ code: 0, document: { state: "published" } });
}, 120_000);
afterAll(async () => {
	await hub?.stop();
	temp.remove();
});

function irlake(...args: string[]): Promise<CliEnd> {
	const env = { HF_ENDPOINT: hub.endpoint, REDIS_URL: "redis://127.0.0.1:1" };
	return runCli([...args, ...(args[0] === "status" ? [] : ["--scratch", scratchOf(lake)])], env);
}

test("verify counts the zips whose hash was never checked, and finds nothing amiss", async () => {
	const end = await irlake("verify", "--lake", lake, "--deep");
	expect(end.code).toBe(0);
	expect(end.stdout).toContain("the SHA-256 of 2 zips was never checked: only parts were fetched");
}, 60_000);

test("status tells the predicate, what it left, and the zips of which only parts came", async () => {
	const end = await irlake("status", "--lake", lake);
	expect(end.stdout).toContain(`images where ${WHERE}:`);
	expect(end.stdout).toMatch(/\d+ images published, \d+ rows not chosen/);
	expect(end.stdout).toContain("of 2 of 2 zips only parts were fetched");
	for (const line of end.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
	const { lake: told } = JSON.parse((await irlake("status", "--lake", lake, "--json")).stdout);
	expect(told.latest).toMatchObject({ settings: { where: WHERE }, zips_unchecked: 2 });
}, 60_000);

test("plan tells what is chosen and what is saved, and writes nothing", async () => {
	const planned = join(temp.path, "planned");
	const end = await irlake("plan", "--lake", planned, ...SHARDS, "--where", WHERE, "--json");
	const told = JSON.parse(end.stdout);
	expect(told.settings).toMatchObject({ where: WHERE, where_mode: "image" });
	expect(told.bytes_to_fetch + told.bytes_saved).toBe(told.bytes);
	expect([told.images, told.images_chosen]).toEqual([220, latestSnapshot(lake).counts.rows_published]);
	const [first] = told.shards;
	expect(first).toMatchObject({ ranged: true, bytes_to_fetch: first.bytes - first.bytes_saved });
	expect(existsSync(planned)).toBe(false);
	// About what it came to.
	const fetched = run.document.bytes_downloaded;
	expect(Math.abs(fetched - told.bytes_to_fetch)).toBeLessThan(0.2 * fetched);
	const text = (await irlake("plan", "--lake", planned, ...SHARDS, "--where", WHERE)).stdout;
	expect(text).toMatch(/\d+ of 220 images chosen: about .+ to read, .+ saved; of 2 shards only parts/);
}, 60_000);

test("it can be exported, with its predicate on the card", async () => {
	const files = join(temp.path, "files");
	expect((await irlake("export", "files", "--lake", lake, "--out", files)).code).toBe(0);
	const images = readdirSync(files, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".webp"));
	expect(images).toHaveLength(latestSnapshot(lake).counts.rows_published);
	const hf = join(temp.path, "hf");
	expect((await irlake("export", "hf", "--lake", lake, "--out", hf)).code).toBe(0);
	expect(readFileSync(join(hf, "README.md"), "utf8")).toContain(`This is a part of the dataset, chosen by a predicate`);
	expect(readFileSync(join(hf, "README.md"), "utf8")).toContain(WHERE);
}, 60_000);

test("one that holds no image is not exported, and says so", async () => {
	const empty = join(temp.path, "empty");
	const made = await mirror({ folder: source }, empty, [...SHARDS, "--where", "rank > 100"]);
	expect(made).toMatchObject({ code: 0, document: { counts: { rows_published: 0 } } });
	const out = join(temp.path, "of-nothing");
	const end = await irlake("export", "hf", "--lake", empty, "--out", out);
	expect(end.code).toBe(2);
	expect(end.stderr).toContain("Snapshot 1 has no image in train_1, test_1 where rank > 100");
	expect(existsSync(join(out, "export.json"))).toBe(false);
}, 60_000);

test("compared with its source, what was not chosen is no difference", async () => {
	const against = async (folder: string) => {
		const end = await irlake(
			"diff",
			"latest",
			"source",
			"--lake",
			lake,
			...SHARDS,
			"--source",
			`file://${folder}`,
			"--json",
		);
		return { code: end.code, ...JSON.parse(end.stdout) };
	};
	expect(await against(source)).toMatchObject({ code: 0, equal: true });
	for (const other of [{ layout: "unpacked" }, { deflate: true }] as const) {
		const folder = join(temp.path, Object.keys(other).join());
		await makeSample(folder, { ...SAMPLE, ...other });
		const { code, images, rows, unknown } = await against(folder);
		expect([code, images.added.count, images.removed.count, images.changed.count]).toEqual([4, 0, 0, 0]);
		expect([rows.metadata.added.count, unknown]).toEqual([0, []]);
	}
}, 60_000);

test("verify notices a receipt whose counts do not belong to its settings", async () => {
	const damaged = join(temp.path, "damaged");
	await mirror({ folder: source }, damaged, [...SHARDS, "--where", "rank = 1"]);
	const path = join(damaged, latestSnapshot(damaged).shards[0]?.receipt ?? "");
	const receipt = JSON.parse(readFileSync(path, "utf8"));
	delete receipt.counts.rows_unselected;
	writeFileSync(path, `${JSON.stringify(receipt, null, 2)}\n`);
	const { code, problems } = await verify(damaged);
	expect(code).toBe(4);
	expect(problems).toContainEqual(
		expect.objectContaining({ code: "COUNT_MISMATCH", detail: "it lacks counts of what a predicate did not choose" }),
	);
}, 60_000);
