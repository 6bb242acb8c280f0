import { cpSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Lab } from "../support/lab.js";
import { digestOf } from "../support/lake.js";
import { readDigests } from "./digest.js";
import { changeOldSource, exportOldLake, OLD_EXPORTS_FILE, OLD_LAKE, openOldSource } from "./old-lake.js";

/**
 * A lake that release 0.1.0 made is a lake of today's: nothing of it is done again, and all that reads it still does.
 *
 * What its exports hold is in old-exports.json, under the rule of golden.test.ts. DuckDB's version stands inside the parquet
 * files of an export too.
 */

const expected = readDigests(OLD_EXPORTS_FILE);
let lab: Lab;
let lake: string;

beforeAll(async () => {
	lab = await openOldSource();
	await changeOldSource(lab);
	lake = lab.path("lake");
	cpSync(OLD_LAKE, lake, { recursive: true });
}, 120_000);
afterAll(() => lab.close());

/** The document of a command that ends with this code. */
async function told(code: number, ...args: string[]): Promise<Record<string, unknown>> {
	// No queue: a developer's own would be told of too.
	const end = await lab.run([...args, "--lake", lake, "--json"], { REDIS_URL: "redis://127.0.0.1:1" });
	if (end.code !== code) throw new Error(`irlake ${args.join(" ")} ended with ${end.code}: ${end.stdout}${end.stderr}`);
	return JSON.parse(end.stdout) as Record<string, unknown>;
}

test("a mirror of the source it was made from finds it up to date, and fetches nothing", async () => {
	await lab.hub.reset();
	expect(await lab.mirror("lake")).toMatchObject({ state: "up_to_date", exit_code: 0, number: 2, bytes_downloaded: 0 });
	expect((await lab.hub.counters()).paths).toEqual({});
	expect(digestOf(lake)).toBe(digestOf(OLD_LAKE));
});

test.each([
	["its records and hashes", [], 0],
	["its pictures, decoded again", ["--deep"], 83],
])("verify finds nothing amiss in %s", async (_, more, decoded) => {
	expect(await told(0, "verify", ...more)).toMatchObject({
		ok: true,
		problems: [],
		checked: { snapshots: 2, receipts: 3, objects: 83, decoded },
	});
});

test("status tells its two snapshots", async () => {
	expect(await told(0, "status")).toMatchObject({
		lake: {
			latest: { number: 2, counts: { rows_published: 63, orphans: 1, pairs: 115, ties: 27 } },
			snapshots: [
				{ number: 1, shards: 2, images: 41, whole: true },
				{ number: 2, shards: 3, images: 63, whole: true },
			],
			unfinished: null,
		},
	});
});

test("diff tells what came with its second snapshot", async () => {
	const count = (added: number, removed: number) => ({
		added: { count: added },
		removed: { count: removed },
		changed: { count: 0 },
	});
	expect(await told(4, "diff", "1", "2")).toMatchObject({
		equal: false,
		before: { number: 1, commit: "bd3b8be2b7494d20ce3a84cfcd5e33ac816d3baf" },
		after: { number: 2, commit: "ba18331d377eea0a8a9c865ce25c9a3da8a9c791" },
		settings: [],
		shards: [
			{ shard: "validation_1", change: "added", why: [] },
			{ shard: "test_1", change: "changed", why: ["zip changed", "metadata changed"] },
		],
		rows: { images: count(42, 20), prompts: count(8, 3), pairs: count(76, 55), quarantine: count(1, 1) },
		images: count(42, 20),
		findings: [
			{ name: "IMAGE_NOT_LOSSLESS", before: null, after: 1 },
			{ name: "IMAGE_TRUNCATED", before: 1, after: null },
		],
		unknown: [],
	});
});

test("diff finds it equal to its source", async () => {
	expect(await told(0, "diff", "latest", "source")).toMatchObject({ equal: true, shards: [], unknown: [] });
});

test.each(Object.keys(expected))("an export as %s is what it was", async (format) => {
	expect(await exportOldLake(lab, format)).toEqual(expected[format]);
});
