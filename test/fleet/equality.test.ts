import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { digestOf, readPinned } from "../support/lake.js";
import { lakeDigest, python } from "../support/python.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { Fleet } from "./fleet.js";

/** The lake comes out byte for byte as from `irlake mirror`, however many workers there are. */

const describeFleet = await redisOrSkip();
const SHARDS = ["train_1", "train_2", "train_3", "validation_1", "test_1", "test_2"];

/** By a script outside the product where there is Python, else by the tests' own. */
async function digest(lake: string): Promise<string> {
	return (await python()) === null ? digestOf(lake) : lakeDigest(lake);
}

describeFleet("a fleet's lake", () => {
	let fleet: Fleet;
	/** The digest and document of the mirror in one process. */
	let undisturbed: string;
	let document: ReturnType<typeof documentOf>;

	beforeAll(async () => {
		fleet = await Fleet.open("equality", { shards: SHARDS, images: 6, size: 64 });
		const lake = fleet.world.lake("reference");
		document = documentOf(await lake.mirror());
		undisturbed = await digest(lake.path);
	}, 300_000);
	afterAll(() => fleet.close());

	test.each([1, 2, 4])(
		"is that of one process: %i workers",
		async (count) => {
			const lake = fleet.lake(`workers-${count}`);
			// The first two share a scratch folder, as workers of one machine do.
			const scratch = fleet.world.fresh("shared-scratch");
			await Promise.all(Array.from({ length: count }, (_, i) => lake.worker([], i < 2 ? { scratch } : {})));
			const end = await lake.mirrored();
			expect({ code: end.code, stderr: end.stderr }).toEqual({ code: 0, stderr: "" });
			const { seconds, ...told } = documentOf(end) as Record<string, unknown>;
			const { seconds: before, ...expected } = document as Record<string, unknown>;
			expect(told).toEqual(expected);
			expect(await digest(lake.path)).toBe(undisturbed);
			expect(readPinned(lake.path)).toBe(1);
			expect(await lake.stopWorkers()).toEqual(Array(count).fill(expect.objectContaining({ code: 0 })));
			// Again: nothing to do, and no job is made for that.
			expect(documentOf(await lake.mirrored())).toMatchObject({ state: "up_to_date", exit_code: 0, number: 1 });
			expect(await digest(lake.path)).toBe(undisturbed);
		},
		180_000,
	);
});
