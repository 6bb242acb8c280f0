import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { lakeFiles, latestSnapshot } from "../../support/lake.js";
import { type From, type Mirrored, mirror, receiptsOf, rowsOf, verify } from "../../support/mirror-run.js";
import { tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import { makeSample, type SampleOptions } from "../../tools/sample/make.js";

/** A selective mirror publishes what it would had it read every byte. */

const GOOD = { shards: ["train_1", "test_1"], images: 110, size: 96, seed: 1 } satisfies SampleOptions;
/** One of each defect. */
const BAD = { ...GOOD, shards: ["train_1", "train_2", "train_3", "train_4", "test_1"], defects: true, planted: null };
const SOME = ["--where", "md5(image_path) < '08'"];
const BEST = ["--where", "overall_rating >= 6 AND fidelity_rating > 5"];
/** Of few chosen rows those of a defect are many. */
const LENIENT = ["--max-reject-ratio", "1"];

let temp: ReturnType<typeof tempDir>;
let hub: HubHandle;
/** Folders of zips, with defects and without, and of unpacked shards. */
let bad: string;
let good: string;
let unpacked: string;
/** A lake of the zips with defects, from the Hub. */
let ranged: string;
let run: Mirrored;

beforeAll(async () => {
	temp = tempDir("selective");
	[bad, good, unpacked] = [join(temp.path, "bad"), join(temp.path, "good"), join(temp.path, "unpacked")];
	await makeSample(bad, BAD);
	await makeSample(good, GOOD);
	await makeSample(unpacked, { ...GOOD, layout: "unpacked" });
	hub = await startHub(bad);
	ranged = join(temp.path, "ranged");
	run = await mirror({ endpoint: hub.endpoint }, ranged, ["--shards", BAD.shards.join(","), ...BEST, ...LENIENT]);
}, 300_000);
afterAll(async () => {
	await hub?.stop();
	temp.remove();
});

async function lakeOf(name: string, from: From, ...args: string[]): Promise<string> {
	const lake = join(temp.path, name);
	const shards = ("folder" in from && from.folder === bad ? BAD : GOOD).shards.join(",");
	const end = await mirror(from, lake, ["--shards", shards, ...args]);
	expect(end).toMatchObject({ code: 0, document: { state: "published" } });
	return lake;
}

/** Objects and parquet, by path: their names are their content's. */
function dataOf(lake: string): string[] {
	return lakeFiles(lake).filter((path) => path.startsWith("objects/") || path.endsWith(".parquet"));
}

/** Receipts as they stand, but for what may differ between sources; and which zips had their hash checked. */
function receipts(lake: string): { same: unknown[]; checked: (boolean | undefined)[] } {
	const all = Object.values(receiptsOf(lake)).map(({ inputs, ...rest }) => {
		const { zip_hash_checked, ...same } = inputs;
		return { same: { ...rest, inputs: same }, checked: zip_hash_checked };
	});
	return { same: all.map(({ same }) => same), checked: all.map(({ checked }) => checked) };
}

function total(lake: string): Partial<Record<string, number>> {
	return latestSnapshot(lake).counts;
}

describe("read by ranges, whole, or unpacked, the lake is the same", () => {
	test("with one of each defect: by ranges from the Hub, and whole from a folder", async () => {
		const whole = await lakeOf("whole", { folder: bad }, ...BEST, ...LENIENT);
		expect(dataOf(ranged)).toEqual(dataOf(whole));
		expect(receipts(ranged).same).toEqual(receipts(whole).same);
		expect(new Set(receipts(whole).checked)).toEqual(new Set([true]));
		// Where parts of a zip are wrong, the whole zip was fetched.
		expect(new Set(receipts(ranged).checked)).toEqual(new Set([true, false]));
	}, 300_000);

	test.each(["image", "prompt"])(
		"by %s: from the Hub, from a folder of zips, and unpacked",
		async (mode) => {
			const own = await startHub(good);
			try {
				const where = [...SOME, "--where-mode", mode];
				const fromHub = await lakeOf(`hub-${mode}`, { endpoint: own.endpoint }, ...where);
				const fromZips = await lakeOf(`zips-${mode}`, { folder: good }, ...where);
				const fromUnpacked = await lakeOf(`unpacked-${mode}`, { folder: unpacked }, ...where);
				expect(dataOf(fromHub)).toEqual(dataOf(fromZips));
				expect(dataOf(fromHub)).toEqual(dataOf(fromUnpacked));
				expect(receipts(fromHub).same).toEqual(receipts(fromZips).same);
				if (mode === "image") expect(receipts(fromHub).checked).toEqual([false, false]);
				expect(receipts(fromUnpacked).checked).toEqual([undefined, undefined]);
			} finally {
				await own.stop();
			}
		},
		300_000,
	);

	test("whatever befalls the network", async () => {
		const own = await startHub(good);
		try {
			await own.chance({ rate: 0.25, seed: "selective" });
			const patient = ["--retry-wait", "0", "--idle-timeout", "1", "--retries", "30"];
			const stormy = await lakeOf("stormy", { endpoint: own.endpoint }, ...SOME, ...patient);
			expect(dataOf(stormy)).toEqual(dataOf(await lakeOf("calm", { folder: good }, ...SOME)));
			expect(Object.keys((await own.counters()).faults).length).toBeGreaterThan(3);
		} finally {
			await own.stop();
		}
	}, 300_000);
});

describe("what is chosen", () => {
	test("is every good image of which the predicate is true, and none else", async () => {
		const all = await lakeOf("all", { folder: bad }, ...LENIENT);
		const paths = (rows: Record<string, unknown>[]) => rows.map(({ image_path }) => image_path).sort();
		const fit = (await rowsOf(all, "images")).filter((row) => {
			return Number(row.overall_rating) >= 6 && Number(row.fidelity_rating) > 5;
		});
		expect(paths(await rowsOf(ranged, "images"))).toEqual(paths(fit));
	}, 300_000);

	test("adds up, with what is not, in receipts, snapshot and document", () => {
		const counts = total(ranged);
		const { rows_in = 0, rows_published = 0, rows_rejected = 0, rows_unselected = 0 } = counts;
		const { members_in = 0, members_published = 0, members_rejected = 0, orphans = 0, members_unselected = 0 } = counts;
		expect(rows_in).toBe(rows_published + rows_rejected + rows_unselected);
		expect(members_in).toBe(members_published + members_rejected + orphans + members_unselected);
		expect(rows_unselected).toBeGreaterThan(300);
		expect(run.document.counts).toMatchObject({ rows_unselected, members_unselected });
	});

	test("by prompt is whole prompts of a shard", async () => {
		const where = ["--where", "rank = 1 AND overall_rating = 7", "--where-mode", "prompt"];
		const lake = await lakeOf("prompts", { folder: good }, ...where);
		const prompts = await rowsOf(lake, "prompts");
		expect(prompts.length).toBeGreaterThan(2);
		for (const { image_count, expected_count } of prompts) expect(image_count).toBe(expected_count);
		expect(total(lake).rows_unselected).toBeGreaterThan(20);
	}, 300_000);

	test("may be nothing: a receipt, and no table file", async () => {
		const lake = await lakeOf("nothing", { folder: good }, "--where", "overall_rating > 90");
		expect(total(lake)).toMatchObject({ rows_published: 0, rows_unselected: 220, members_unselected: 220, prompts: 0 });
		expect(dataOf(lake)).toEqual([]);
		expect(await verify(lake)).toEqual({ code: 0, problems: [] });
	}, 300_000);
});
