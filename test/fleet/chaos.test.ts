import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { digestOf } from "../support/lake.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { chaos } from "./chaos.js";
import { Fleet } from "./fleet.js";

/** The short form of `make chaos`: workers die, the queue crashes and is emptied, and the lake is what it would have been. */

const describeFleet = await redisOrSkip();
const SHARDS = ["train_1", "train_2", "train_3", "train_4", "validation_1", "validation_2", "test_1", "test_2"];

describeFleet("chaos", () => {
	let fleet: Fleet;

	beforeAll(async () => {
		// A download takes about three seconds.
		fleet = await Fleet.open("chaos", { shards: SHARDS, images: 6, size: 64, bytesPerSecond: 25_000 });
	}, 120_000);
	afterAll(() => fleet.close());

	test("kills, a crash and an empty queue change not a byte", async () => {
		const reference = fleet.world.lake("reference");
		expect(await reference.mirror({ concurrency: 8 })).toMatchObject({ code: 0 });
		const lake = fleet.lake("chaos");
		const options = { seed: 5, workers: 2, kills: 4, every: 2000, restartAfter: 2, wipeAfter: 3, seconds: 240 };
		const end = await chaos(fleet, lake, options);
		expect(end.document).toMatchObject({ exit_code: 0, state: "published", number: 1 });
		expect(end.digest).toBe(digestOf(reference.path));
		expect(end.onActive).toBeGreaterThanOrEqual(4);
		expect(end.changedReceipts).toEqual([]);
		expect(end.seen.every((number) => number === 0 || number === 1)).toBe(true);
	}, 300_000);
});
