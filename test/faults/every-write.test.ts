import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Fault } from "../support/fault.js";
import { digestOf, readPinned } from "../support/lake.js";
import { type Lake, twoAtOnce, World } from "../support/world.js";

/** SIGKILL at every call, one after the other, that gives a file its name: each time the next run makes the same lake. */

/** Calls that a mirror of one small shard cannot need. */
const BOUND = 60;

let world: World;
let undisturbed: string;

beforeAll(async () => {
	world = await World.open("every-write", { shards: ["test_1"], images: 4, size: 64 });
	const lake = world.lake("reference");
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
}, 300_000);

afterAll(() => world.close());

async function recover(lake: Lake): Promise<void> {
	expect([0, 1]).toContain(readPinned(lake.path));
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	expect(readPinned(lake.path)).toBe(1);
	expect(digestOf(lake.path)).toBe(undisturbed);
}

/** Kills at the first call, the second, … until a run is over before its turn comes; returns how many were killed. */
async function killAtEach(fault: Omit<Fault, "nth">): Promise<number> {
	let survivor = BOUND;
	await twoAtOnce(
		Array.from({ length: BOUND }, (_, at) => at + 1),
		async (nth) => {
			if (nth > survivor) return;
			const lake = world.lake("killed");
			const { code, signal } = await lake.mirror({ fault: { ...fault, nth } });
			if (code === 0) survivor = Math.min(survivor, nth);
			else expect(signal).toBe("SIGKILL");
			await recover(lake);
		},
	);
	return survivor - 1;
}

test("fault 35: before every link and rename of the command", async () => {
	const killed = await killAtEach({ op: ["link", "rename"], do: "SIGKILL" });
	// The lake's id, 4 objects, 3 parquet files, receipt, snapshot, 4 commits, latest.json, and the metadata in scratch.
	expect(killed).toBe(16);
}, 600_000);

test("fault 35: before every sync of an object that an image thread stages", async () => {
	const killed = await killAtEach({ op: "sync", match: ".irlake/staged/", do: "kill-parent", host: true });
	// How the four fall to the threads differs.
	expect(killed).toBeGreaterThan(0);
}, 600_000);
