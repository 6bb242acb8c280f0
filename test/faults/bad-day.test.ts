import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { allShards } from "../../pipelines/shards.js";
import { documentOf } from "../support/cli.js";
import { digestOf, latestSnapshot, readPinned } from "../support/lake.js";
import { World } from "../support/world.js";
import { requireOnce } from "./once.js";

/** All shards from a Hub that spoils one request in five, in every way it knows: the lake is that of a good day. */

const RATE = 0.2;
/** Between them every kind of fault happens. */
const SEEDS = ["3", "29", "2"];
/** Seconds: what a fault costs at most is the time-out's three, and there are some thirty. */
const LONGEST = 150;

const KINDS = ["429", "408", "500", "502", "503", "504", "403", "416", "hang", "portal", "pointer", "expired"].concat([
	...["reset-after", "end-early", "truncate", "stall-after", "overlong", "wrong-bytes", "ignore-range", "gzip"],
]);

let world: World;
let undisturbed: string;

beforeAll(async () => {
	const shards = allShards(imageRewardDb);
	world = await World.open("bad-day", { shards, images: 5, size: 64, pageSize: 8 });
	const lake = world.lake("reference");
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
}, 300_000);

afterAll(() => world.close());

/** Kinds that have happened. */
const happened = new Set<string>();

test.each(SEEDS)(
	"36 shards, a fault at every fifth request (seed %s): the same lake, no byte fetched twice without a reason",
	async (seed) => {
		const lake = world.lake("spoilt");
		await world.hub.reset();
		await world.hub.chance({ rate: RATE, seed });
		const started = performance.now();
		const end = await lake.mirror({ concurrency: 4, args: ["--retry-wait", "0.05", "--idle-timeout", "3"] });
		expect(end).toMatchObject({ code: 0, signal: null });
		expect((performance.now() - started) / 1000).toBeLessThan(LONGEST);
		const { paths, faults, api, cdn } = await world.hub.counters();
		for (const kind of Object.keys(faults)) happened.add(kind);
		const met = Object.values(faults).reduce((sum, times) => sum + times, 0);
		expect(met / (api.requests + cdn.requests)).toBeGreaterThan(RATE / 2);
		expect(requireOnce(paths)).toBeGreaterThan(36);
		expect(digestOf(lake.path)).toBe(undisturbed);
		expect(readPinned(lake.path)).toBe(1);
		const { shards, rows_in, rows_published, rows_rejected } = latestSnapshot(lake.path).counts;
		expect({ shards, rows_in }).toEqual({ shards: 36, rows_in: 180 });
		expect(rows_published + rows_rejected).toBe(rows_in);
		expect(documentOf(end).shards?.every(({ state }) => state === "done")).toBe(true);
	},
	400_000,
);

test("every kind of fault was among them", () => {
	expect([...happened].sort()).toEqual([...KINDS].sort());
});
