import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf, runCli } from "../support/cli.js";
import { latestSnapshot, readPinned } from "../support/lake.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { Fleet } from "./fleet.js";

/** On the queue, too, a marked receipt counts as absent: its shard is done again, and vacuum then leaves it alone. */

const describeFleet = await redisOrSkip();
const SHARDS = ["train_1", "test_1"];

describeFleet("vacuum beside workers", () => {
	let fleet: Fleet;
	beforeAll(async () => {
		fleet = await Fleet.open("fleet-vacuum", { shards: SHARDS, images: 4, size: 48 });
	}, 120_000);
	afterAll(() => fleet.close());

	test("a source that goes back to what vacuum has marked", async () => {
		const lake = fleet.lake("lake");
		const vacuum = async () => {
			const args = ["vacuum", "--lake", lake.path, "--scratch", fleet.world.fresh("scratch"), "--keep", "1"];
			return documentOf(await runCli([...args, "--grace", "0", "--yes", "--json"], { LOG_LEVEL: "error" }));
		};
		await lake.worker();
		expect(documentOf(await lake.mirrored())).toMatchObject({ state: "published", number: 1 });
		const [first] = latestSnapshot(lake.path).shards;
		await fleet.world.change("train", 2);
		expect(documentOf(await lake.mirrored())).toMatchObject({ state: "published", number: 2 });
		expect(await vacuum()).toMatchObject({ mode: "marked" });
		await fleet.world.change("train", 1);
		const back = documentOf(await lake.mirrored());
		expect(back).toMatchObject({ state: "published", number: 3, exit_code: 0 });
		expect(back.shards).toMatchObject([
			{ shard: "train_1", state: "done" },
			{ shard: "test_1", state: "reused" },
		]);
		expect(latestSnapshot(lake.path).shards[0]?.receipt).toBe(first?.receipt);
		for (let at = 0; at < 3; at++) await vacuum();
		expect(readPinned(lake.path)).toBe(3);
		for (const { code } of await lake.stopWorkers()) expect(code).toBe(0);
	}, 120_000);
});
