import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { openTableFiles } from "../../infra/adapters/duckdb/table-files.js";
import type { TableRow } from "../../schemas/tables.js";
import { documentOf } from "../support/cli.js";
import { digestOf, filesEnding, readPinned } from "../support/lake.js";
import { tempDir } from "../support/root.js";
import { TABLES } from "../support/tables.js";
import { Lake, World } from "../support/world.js";
import { requireOnce } from "./once.js";

/**
 * Fault 34, on disks that really are full: noticed before any work where it can be; else the run ends at once, leaves
 * no temporary files in the lake, and goes on from there when there is room. (At each single write: io-errors.)
 */

const mounts: string[] = [];
const temp = tempDir("disks");

/** Disks of one's own need the system's leave: root has it. */
function mount(name: string, kilobytes: number): string {
	const path = join(temp.path, name);
	mkdirSync(path);
	execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", path], { stdio: "ignore" });
	mounts.push(path);
	return path;
}

function enlarge(path: string): void {
	execFileSync("mount", ["-o", "remount,size=100m", path]);
}

const canMount = (() => {
	try {
		execFileSync("umount", [mount("probe", 64)]);
		mounts.length = 0;
		return true;
	} catch {
		return false;
	}
})();
const onDisks = canMount ? describe : describe.skip;

let world: World;
let undisturbed: string;
/** Bytes of the two shards' zips. */
let bytes: number;

beforeAll(async () => {
	if (!canMount) return;
	world = await World.open("disk-full", { shards: ["test_1", "test_2"], images: 8, size: 320 });
	const lake = world.lake("reference");
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
	bytes = filesEnding(world.source, ".zip").reduce((sum, zip) => sum + zip.bytes, 0);
	expect(bytes).toBeGreaterThan(1_500_000);
}, 300_000);

afterEach(() => {
	for (const path of mounts.splice(0)) execFileSync("umount", [path]);
});
afterAll(async () => {
	await world?.close();
	temp.remove();
});

async function fails(lake: Lake): Promise<{ message: string; path: string | null }> {
	const end = await lake.mirror({ concurrency: 1 });
	const { exit_code, error } = documentOf(end);
	expect({ code: end.code, exit_code, error: error?.code }).toEqual({ code: 1, exit_code: 1, error: "NO_SPACE" });
	expect(end.stderr).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
	expect(readPinned(lake.path)).toBe(0);
	if (error === null) throw new Error("a failure without an error");
	return error;
}

async function recovers(lake: Lake): Promise<void> {
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	expect(readPinned(lake.path)).toBe(1);
	expect(digestOf(lake.path)).toBe(undisturbed);
}

/** Files that are neither records nor data of the lake, its id aside. */
function temporaries(lake: string): string[] {
	const own = join(lake, ".irlake");
	if (!existsSync(own)) return [];
	const entries = readdirSync(own, { recursive: true, withFileTypes: true });
	return entries.filter((entry) => entry.isFile() && entry.name !== "lake.json").map(({ name }) => name);
}

/** More than the instance's memory takes, and nothing that packs well. */
function* largeRows(): Generator<TableRow> {
	const names = TABLES.quarantine.columns.map(({ name }) => [name, null] as const);
	for (let n = 0; n < 12_000; n++) {
		yield {
			...Object.fromEntries(names),
			code: "IMAGE_EMPTY",
			severity: "reject",
			detail: randomBytes(5000).toString("hex"),
		};
	}
}

onDisks("fault 34: no space left", () => {
	test("in the lake, for a single shard: said before a shard is fetched", async () => {
		const disk = mount("small-lake", Math.floor(bytes / 4 / 1024));
		const lake = new Lake(world, join(disk, "lake"), world.fresh("scratch"));
		await world.hub.reset();
		const { message, path } = await fails(lake);
		expect(message).toMatch(/has .* free, but the largest shard to do needs/);
		expect(path).toBe(lake.path);
		expect(Object.keys((await world.hub.counters()).paths)).toEqual(["metadata-test.parquet"]);
		expect(existsSync(lake.path)).toBe(false);
		enlarge(disk);
		await recovers(lake);
	}, 120_000);

	test("in the lake, in mid-run: nothing temporary stays, and what was downloaded is not fetched again", async () => {
		const disk = mount("lake", Math.floor((bytes * 0.8) / 1024));
		const lake = new Lake(world, join(disk, "lake"), world.fresh("scratch"));
		await world.hub.reset();
		await fails(lake);
		expect(temporaries(lake.path)).toEqual([]);
		enlarge(disk);
		await recovers(lake);
		requireOnce((await world.hub.counters()).paths);
	}, 120_000);

	test("in the scratch folder, for a shard: said before it is fetched", async () => {
		const disk = mount("small-scratch", Math.floor(bytes / 4 / 1024));
		const lake = new Lake(world, world.fresh("lake"), join(disk, "scratch"));
		await world.hub.reset();
		const { message, path } = await fails(lake);
		expect(message).toMatch(/images\/test\/test_1\.zip needs \d+ more bytes in .*, but \d+ bytes are free/);
		expect(path).toBe(lake.scratch);
		expect((await world.hub.counters()).paths["images/test/test_1.zip"]).toBeUndefined();
		enlarge(disk);
		await recovers(lake);
	}, 120_000);

	test("for DuckDB's spill: the table is not written, and its part is removed", async () => {
		const disk = mount("spill", 4096);
		const scratch = join(temp.path, "tables");
		mkdirSync(scratch);
		const tables = await openTableFiles({ spill: join(disk, "spill"), memoryMb: 64, threads: 1 });
		const file = join(scratch, "images.parquet");
		try {
			await expect(tables.write(TABLES.quarantine, largeRows(), file)).rejects.toMatchObject({
				code: "NO_SPACE",
				path: join(disk, "spill"),
			});
			expect(existsSync(file)).toBe(false);
		} finally {
			await tables.close();
		}
		expect(readdirSync(join(disk, "spill"))).toEqual([]);
	}, 120_000);
});
