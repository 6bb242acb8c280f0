import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { digestOf, readPinned } from "../support/lake.js";
import { World } from "../support/world.js";
import { requireOnce } from "./once.js";

/** Fault 39: a wall clock that is wrong, and jumps, changes nothing: neither how long is waited nor what is written. */

const ZIP = "images/test/test_1.zip";
const PRELOAD = pathToFileURL(join(import.meta.dirname, "clock-preload.js")).href;

let world: World;
let undisturbed: string;

beforeAll(async () => {
	world = await World.open("clock", { shards: ["test_1"], images: 24, size: 48, defect: true });
	const lake = world.lake("reference");
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
}, 120_000);

afterAll(() => world.close());

test.each([400, -400])(
	"fault 39: a clock that jumps by %i days and back: waits are as long as asked, the lake is the same, and it is said",
	async (days) => {
		const lake = world.lake("skewed");
		const soon = new Date(Date.now() + 2000).toUTCString();
		const wait = { match: { route: "resolve", path: ZIP }, times: 1, kind: "status", status: 429 } as const;
		await world.hub.reset();
		await world.hub.faults([
			{ ...wait, headers: { RateLimit: '"resolvers";r=0;t=0' } },
			{ ...wait, headers: { "Retry-After": soon } },
			{ match: { route: "cdn", path: ZIP }, times: 2, kind: "stall-after", bytes: 20_000 },
		]);
		const started = performance.now();
		const env = { NODE_OPTIONS: `--import=${PRELOAD}`, IRLAKE_CLOCK_DAYS: String(days) };
		const end = await lake.mirror({ args: ["--idle-timeout", "1", "--retry-wait", "0.01"], env });
		const seconds = (performance.now() - started) / 1000;
		expect(end).toMatchObject({ code: 0 });
		// A second, what is left of two, and two silences.
		expect(seconds).toBeGreaterThan(3);
		expect(seconds).toBeLessThan(100);
		expect(end.stderr).toMatch(/This machine's clock is 3\d{7} s (ahead of|behind) that of 127\.0\.0\.1:\d+\./);
		expect(end.stderr.match(/This machine's clock/g)).toHaveLength(1);
		expect(readPinned(lake.path)).toBe(1);
		expect(digestOf(lake.path)).toBe(undisturbed);
		requireOnce((await world.hub.counters()).paths);
	},
	120_000,
);
