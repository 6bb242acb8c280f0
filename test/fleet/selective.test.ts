import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { digestOf, latestSnapshot } from "../support/lake.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { Fleet } from "./fleet.js";

/** A selective mirror by workers is that of one process: each decides alike what to fetch, and how. */

const describeFleet = await redisOrSkip();
const SHARDS = ["train_1", "train_2", "test_1"];
const WHERE = ["--where", "md5(image_path) < '1a'"];

describeFleet("a fleet's selective lake", () => {
	let fleet: Fleet;

	beforeAll(async () => {
		fleet = await Fleet.open("fleet-selective", { shards: SHARDS, images: 60, size: 128 });
	}, 300_000);
	afterAll(() => fleet.close());

	test("is that of one process, to the byte", async () => {
		const reference = fleet.world.lake("reference");
		const document = documentOf(await reference.mirror({ args: WHERE }));
		const { settings, counts } = latestSnapshot(reference.path);
		expect(settings).toMatchObject({ where: WHERE[1], where_mode: "image" });
		const { paths } = await fleet.world.hub.counters();
		expect(paths["images/train/train_1.zip"]?.ranges.length).toBeGreaterThan(4);

		const lake = fleet.lake("workers");
		await Promise.all([lake.worker(), lake.worker()]);
		const end = await lake.mirrored(...WHERE);
		expect(end.code).toBe(0);
		expect(documentOf(end)).toMatchObject({ state: "published", counts, bytes_downloaded: document.bytes_downloaded });
		expect(digestOf(lake.path)).toBe(digestOf(reference.path));
		// The predicate is the lake's now: a run without it finds nothing to do, one with another is refused.
		expect(documentOf(await lake.mirrored())).toMatchObject({ state: "up_to_date", exit_code: 0 });
		expect(documentOf(await lake.mirrored("--where", "rank = 1")).error).toMatchObject({ code: "SETTINGS_DIFFER" });
		expect(await lake.stopWorkers()).toEqual(Array(2).fill(expect.objectContaining({ code: 0 })));
	}, 180_000);

	test("a predicate that is refused puts nothing on the queue", async () => {
		const lake = fleet.lake("refused");
		expect(await lake.enqueued("--where", "random() < 0.1")).toMatchObject({ error: { code: "USAGE" }, exit_code: 2 });
		expect(await lake.redisKeys("*")).toEqual([]);
	}, 60_000);
});
