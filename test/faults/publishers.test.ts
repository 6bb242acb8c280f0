import { existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CliEnd, documentOf } from "../support/cli.js";
import type { Fault } from "../support/fault.js";
import { digestOf, latestSnapshot, readPinned, versionsOf } from "../support/lake.js";
import { appeared, inState, type Lake, World } from "../support/world.js";

/** Publishers that share a lake lose no version, publish whole snapshots only, and leave `latest.json` at the newest. */

const BASE = ["train_1"];
const ONE = ["validation_1"];
const TWO = ["test_1"];
const THREE = ["test_2"];

let world: World;
/** Holds the base's shard, as snapshot 1. */
let base: Lake;

beforeAll(async () => {
	world = await World.open("publishers", { shards: [...BASE, ...ONE, ...TWO, ...THREE], images: 4, size: 64 });
	base = world.lake("base");
	expect(await base.mirror({ shards: BASE })).toMatchObject({ code: 0 });
}, 300_000);

afterAll(() => world.close());

function shardsOf(lake: Lake): string[] {
	return latestSnapshot(lake.path).shards.map(({ shard }) => shard);
}

/** The lake's newest version is this one, whole, the one that readers see, and nothing is wrong with any other. */
async function expectNewest(lake: Lake, number: number, shards: string[]): Promise<void> {
	expect(readPinned(lake.path)).toBe(number);
	expect(versionsOf(lake.path)).toBe(number);
	expect(shardsOf(lake).sort()).toEqual([...shards].sort());
	expect(await lake.verify()).toMatchObject({ code: 0 });
}

function numbersOf(ends: CliEnd[]): (number | null | undefined)[] {
	return ends.map((end) => documentOf(end).number).sort();
}

test("two at once, with different shards, publish one after the other", async () => {
	const lake = base.copy("different");
	const ends = await Promise.all([lake.mirror({ shards: ONE }), lake.beside().mirror({ shards: TWO })]);
	expect(ends).toMatchObject([{ code: 0 }, { code: 0 }]);
	expect(numbersOf(ends)).toEqual([2, 3]);
	await expectNewest(lake, 3, [...BASE, ...ONE, ...TWO]);
}, 120_000);

test("two at once, with different shards, into a new lake", async () => {
	const lake = world.lake("new");
	const ends = await Promise.all([lake.mirror({ shards: ONE }), lake.beside().mirror({ shards: TWO })]);
	expect(ends).toMatchObject([{ code: 0 }, { code: 0 }]);
	expect(numbersOf(ends)).toEqual([1, 2]);
	await expectNewest(lake, 2, [...ONE, ...TWO]);
}, 120_000);

test("two at once, with the same shards, make one snapshot, the same as one alone does", async () => {
	const shards = [...ONE, ...TWO];
	const [alone, shared] = [base.copy("alone"), base.copy("same")];
	expect(await alone.mirror({ shards })).toMatchObject({ code: 0 });
	const ends = await Promise.all([shared.mirror({ shards }), shared.beside().mirror({ shards })]);
	expect(ends).toMatchObject([{ code: 0 }, { code: 0 }]);
	expect(numbersOf(ends)).toEqual([2, 2]);
	await expectNewest(shared, 2, [...BASE, ...shards]);
	expect(digestOf(shared.path)).toBe(digestOf(alone.path));
}, 120_000);

/** Every write of a publish: where it is stopped, and whether it had the number 2 by then. */
const WRITES: [string, Omit<Fault, "do" | "marker">, boolean][] = [
	["the snapshot's file", { op: "link", match: "/snapshots/" }, false],
	["the commit to images", { op: "link", match: "/images/_delta_log/" }, false],
	["the commit to prompts", { op: "link", match: "/prompts/_delta_log/" }, true],
	["the commit to pairs", { op: "link", match: "/pairs/_delta_log/" }, true],
	["the commit to quarantine", { op: "link", match: "/quarantine/_delta_log/" }, true],
	["latest.json", { op: "rename", match: "/latest.json" }, true],
];

test.each(WRITES)(
	"one stopped before %s, and woken after another has published twice",
	async (_name, fault, claimed) => {
		const lake = base.copy("stopped");
		const marker = world.fresh("stopped-marker");
		const sleeper = await lake.start({ shards: ONE, fault: { ...fault, do: "SIGSTOP", marker } });
		await appeared(marker, sleeper);
		await inState(sleeper.pid, ["T"]);
		const first = claimed ? 3 : 2;
		try {
			expect(readPinned(lake.path)).toBe(1);
			const other = lake.beside();
			for (const [shards, number] of [[TWO, first] as const, [THREE, first + 1] as const]) {
				const end = await other.mirror({ shards });
				expect(end).toMatchObject({ code: 0 });
				expect(documentOf(end)).toMatchObject({ state: "published", number });
				expect(readPinned(lake.path)).toBe(number);
			}
		} finally {
			sleeper.kill("SIGCONT");
		}
		const woken = await sleeper.ended;
		expect(woken).toMatchObject({ code: 0, signal: null });
		// It reports the snapshot that its own shard came with.
		expect(documentOf(woken)).toMatchObject({ state: "published", number: claimed ? 2 : 4 });
		expect(existsSync(marker)).toBe(true);
		await expectNewest(lake, 4, world.shards);
	},
	120_000,
);

test("one stopped with an older commit of a shard does not bring it back", async () => {
	const lake = base.copy("older");
	const marker = world.fresh("older-marker");
	const fault: Fault = { op: "link", match: "/images/_delta_log/", do: "SIGSTOP", marker };
	const sleeper = await lake.start({ shards: [...ONE, ...TWO], fault });
	await appeared(marker, sleeper);
	await inState(sleeper.pid, ["T"]);
	let newer: string | undefined;
	try {
		await world.change("validation", 2);
		const other = lake.beside();
		expect(await other.mirror({ shards: ONE })).toMatchObject({ code: 0 });
		newer = latestSnapshot(lake.path).shards.find(({ shard }) => shard === ONE[0])?.work_id;
		await world.change("train", 2);
		expect(await other.mirror({ shards: BASE })).toMatchObject({ code: 0 });
	} finally {
		sleeper.kill("SIGCONT");
	}
	expect(await sleeper.ended).toMatchObject({ code: 0 });
	await expectNewest(lake, 4, [...BASE, ...ONE, ...TWO]);
	const kept = latestSnapshot(lake.path).shards.find(({ shard }) => shard === ONE[0]);
	expect(kept?.work_id).toBe(newer);
}, 120_000);
