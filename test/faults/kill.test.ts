import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import type { Fault } from "../support/fault.js";
import { digestOf, filesEnding, readPinned } from "../support/lake.js";
import { lakeDigest, type PinnedReader, pinnedReader, python } from "../support/python.js";
import { type Lake, twoAtOnce, World } from "../support/world.js";
import { Random } from "../tools/sample/random.js";

/**
 * A mirror killed by SIGKILL at any point leaves readers the old snapshot or the new one, and the next run ends with
 * the very bytes of one that nobody disturbed.
 */

const LOGS = ["images", "prompts", "pairs", "quarantine"].map((table) => `tables/${table}/_delta_log/`);
const SHARDS = ["train_1", "validation_1", "test_1", "test_2"];
const random = new Random("kill");

let world: World;
/** Nobody disturbed this one. */
let reference: Lake;
/** Its digest after the first snapshot, and after the second. */
const digests = new Map<number, string>();
/** delta-rs, where it can be had. */
let independent: PinnedReader | null = null;

beforeAll(async () => {
	world = await World.open("kill", { shards: SHARDS, images: 8, size: 96 });
	reference = world.lake("reference");
	if ((await python()) !== null || process.env.REQUIRE_SERVICES === "1") independent = await pinnedReader();
}, 300_000);

afterAll(async () => {
	await independent?.stop();
	await world.close();
});

/** What a reader pinned to `latest.json` sees: the snapshot's number; throws where it is not whole. */
async function pinned(lake: Lake): Promise<number> {
	const number = readPinned(lake.path);
	if (independent === null || number === 0) return number;
	expect(await independent.check(lake.path)).toEqual({ state: "whole", number });
	return number;
}

async function publish(lake: Lake, concurrency: number): Promise<number> {
	const end = await lake.mirror({ concurrency });
	expect(end).toMatchObject({ code: 0 });
	return documentOf(end).number ?? 0;
}

/** Kills a mirror of the lake at the fault; returns what a reader sees then. */
async function kill(lake: Lake, fault: Fault): Promise<number> {
	expect(await lake.mirror({ fault })).toMatchObject({ code: null, signal: "SIGKILL" });
	return pinned(lake);
}

/** Runs the killed mirror again: the lake must come to be what the reference is. */
async function recover(lake: Lake, number: number): Promise<void> {
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	expect(await pinned(lake)).toBe(number);
	expect(digestOf(lake.path)).toBe(digests.get(number));
}

/** Kills at each of the faults, each in a lake of its own, and recovers. Readers see `seen` after the kill. */
async function killEach(faults: Fault[], start: () => Lake, { seen, ends }: { seen: number; ends: number }) {
	await twoAtOnce(faults, async (fault) => {
		const lake = start();
		expect(await kill(lake, fault)).toBe(seen);
		await recover(lake, ends);
	});
}

/** Distinct numbers, seeded. */
function numbers(count: number, low: number, high: number): number[] {
	const found = new Set<number>();
	while (found.size < count) found.add(random.int(low, high));
	return [...found];
}

function when(at: number): "before" | "after" {
	return at % 2 === 0 ? "before" : "after";
}

/** Kills while `latest.json` is made, with so many records to be made before it. */
function latestFaults(before: number): Fault[] {
	const aside = { match: ".irlake/tmp/", nth: before + 1, do: "SIGKILL" } as const;
	return [
		{ ...aside, op: "open" },
		{ ...aside, op: "write" },
		{ ...aside, op: "write", when: "after" },
		{ ...aside, op: "sync", when: "after" },
		{ op: "rename", match: "latest.json", do: "SIGKILL" },
	];
}

/** Kills before and after each table's commit. */
function commitFaults(): Fault[] {
	return LOGS.flatMap((match): Fault[] => [
		{ op: "link", match, do: "SIGKILL" },
		{ op: "link", match, do: "SIGKILL", when: "after" },
	]);
}

describe("the first snapshot", () => {
	const outcome = { seen: 0, ends: 1 };
	const fresh = (): Lake => world.lake("killed");
	/** All is made but the commits. */
	let ready: Lake;

	test("is the same, byte by byte, at concurrency 1 and 4", async () => {
		expect(await publish(reference, 1)).toBe(1);
		const parallel = fresh();
		expect(await publish(parallel, 4)).toBe(1);
		digests.set(1, digestOf(reference.path));
		expect(digestOf(parallel.path)).toBe(digests.get(1));
		if (independent !== null) expect(await lakeDigest(reference.path)).toBe(digests.get(1));
		expect(await reference.verify()).toMatchObject({ code: 0 });
	}, 300_000);

	test("survives kills while images are decoded", async () => {
		const faults = numbers(5, 1, 8).map((nth, at): Fault => {
			return { op: "sync", match: ".irlake/staged/", nth, when: when(at), do: "kill-parent", host: true };
		});
		await killEach(faults, fresh, outcome);
	}, 300_000);

	test("survives kills while objects are moved in", async () => {
		const faults = numbers(3, 1, 32).map((nth, at): Fault => {
			return { op: "rename", match: "/objects/sha256/", nth, when: when(at), do: "SIGKILL" };
		});
		await killEach(faults, fresh, outcome);
	}, 300_000);

	test("survives kills while parquet is moved in", async () => {
		const faults = numbers(5, 1, 12).map((nth, at): Fault => {
			return { op: "rename", match: "/tables/", nth, when: when(at), do: "SIGKILL" };
		});
		await killEach(faults, fresh, outcome);
	}, 300_000);

	test("survives kills while receipts are written", async () => {
		const faults = [1, 1, 2, 3, 4].map((nth, at): Fault => {
			return { op: "link", match: "/receipts/", nth, when: when(at), do: "SIGKILL" };
		});
		await killEach(faults, fresh, outcome);
	}, 300_000);

	test("survives kills around the snapshot's own file", async () => {
		const snapshot = { op: "link", match: "/snapshots/", do: "SIGKILL" } as const;
		await killEach([snapshot, { ...snapshot, when: "after" }], fresh, outcome);
		ready = fresh();
		await kill(ready, { ...snapshot, when: "after" });
	}, 300_000);

	test("survives kills between the tables' commits", async () => {
		const faults = commitFaults().filter((fault) => fault.when !== "after");
		await killEach(faults, () => ready.copy("killed"), outcome);
	}, 300_000);

	test("survives kills before latest.json", async () => {
		await killEach(latestFaults(LOGS.length).slice(-2), () => ready.copy("killed"), outcome);
	}, 300_000);

	test("is there when the kill came after latest.json, and the lake is as recorded", async () => {
		const lake = ready.copy("killed");
		expect(await kill(lake, { op: "rename", match: "latest.json", when: "after", do: "SIGKILL" })).toBe(1);
		await recover(lake, 1);
		expect(await lake.verify()).toMatchObject({ code: 0 });
	}, 300_000);
});

describe("a second snapshot, on top of the first", () => {
	const outcome = { seen: 1, ends: 2 };
	let first: Lake;
	let ready: Lake;

	beforeAll(async () => {
		first = reference.copy("first");
		await world.change("train", 2);
		expect(await publish(reference, 2)).toBe(2);
		digests.set(2, digestOf(reference.path));
		ready = first.copy("ready");
		expect(await kill(ready, { op: "link", match: "/snapshots/", when: "after", do: "SIGKILL" })).toBe(1);
	}, 300_000);

	test("survives kills while the changed shard is made", async () => {
		const faults: Fault[] = [
			{ op: "sync", match: ".irlake/staged/", nth: random.int(1, 3), do: "kill-parent", host: true },
			{ op: "rename", match: "/objects/sha256/", nth: random.int(1, 8), do: "SIGKILL" },
			{ op: "rename", match: "/tables/", nth: random.int(1, 3), do: "SIGKILL" },
			{ op: "link", match: "/receipts/", when: "after", do: "SIGKILL" },
		];
		await killEach(faults, () => first.copy("killed"), outcome);
	}, 300_000);

	test("survives kills between the tables' commits", async () => {
		await killEach(commitFaults(), () => ready.copy("killed"), outcome);
	}, 300_000);

	test("survives kills before latest.json", async () => {
		await killEach(latestFaults(LOGS.length), () => ready.copy("killed"), outcome);
	}, 300_000);

	test("is there when the kill came after latest.json, and the lake is as recorded", async () => {
		const lake = ready.copy("killed");
		expect(await kill(lake, { op: "rename", match: "latest.json", when: "after", do: "SIGKILL" })).toBe(2);
		await recover(lake, 2);
		expect(await lake.verify()).toMatchObject({ code: 0 });
	}, 300_000);
});

describe("a download", () => {
	/** Large enough for several writes to the part file, and slow enough to be killed in the middle. */
	const options = { shards: ["test_1", "test_2"], images: 8, size: 512, bytesPerSecond: 4_000_000 };
	let slow: World;
	let undisturbed: string;
	let total: number;

	beforeAll(async () => {
		slow = await World.open("kill-download", options);
		const lake = slow.lake("reference");
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		undisturbed = digestOf(lake.path);
		total = (await slow.hub.counters()).cdn.bytes;
	}, 300_000);

	afterAll(() => slow.close());

	test("survives kills after any share of its bytes, which are not fetched again", async () => {
		for (const share of numbers(5, 5, 85)) {
			const lake = slow.lake("killed");
			await slow.hub.reset();
			const command = await lake.start();
			while ((await slow.hub.counters()).cdn.bytes < (total * share) / 100) expect(command.child.exitCode).toBeNull();
			command.kill("SIGKILL");
			expect(await command.ended).toMatchObject({ signal: "SIGKILL" });
			expect(await pinned(lake)).toBe(0);
			const kept = filesEnding(lake.scratch, ".part");
			const bytes = kept.reduce((sum, part) => sum + part.bytes, 0);
			await slow.hub.reset();
			expect(await lake.mirror()).toMatchObject({ code: 0 });
			expect(digestOf(lake.path)).toBe(undisturbed);
			expect((await slow.hub.counters()).cdn.bytes).toBeLessThanOrEqual(total - bytes);
		}
	}, 300_000);
});
