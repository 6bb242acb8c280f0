import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runCli } from "../../support/cli.js";
import { digestOf, lakeFiles, latestSnapshot, readPinned, versionsOf } from "../../support/lake.js";
import { type Lake, World } from "../../support/world.js";

/** `irlake vacuum` deletes what no retained snapshot needs, in two steps, and nothing else. */

const SHARDS = ["train_1", "test_1"];
let world: World;
/** Snapshot 1, snapshot 2 with another train_1, snapshot 3 with another test_1. */
let base: Lake;

beforeAll(async () => {
	world = await World.open("vacuum", { shards: SHARDS, images: 4, size: 48 });
	base = world.lake("base");
	expect(await base.mirror()).toMatchObject({ code: 0 });
	await world.change("train", 2);
	expect(await base.mirror()).toMatchObject({ code: 0 });
	await world.change("test", 3);
	expect(await base.mirror()).toMatchObject({ code: 0 });
	expect(readPinned(base.path)).toBe(3);
}, 120_000);
afterAll(() => world.close());

interface Document {
	exit_code: number;
	mode: string;
	kept: number[];
	given_up: number[];
	deleted: Record<string, { files: number; bytes: number }>;
	marked: Record<string, { files: number; bytes: number }>;
	waiting: Record<string, { files: number; bytes: number }>;
	due: string | null;
	error: { code: string; hint: string; path: string | null } | null;
}

async function vacuum(lake: Lake, ...args: string[]): Promise<Document> {
	const where = ["--lake", lake.path, "--scratch", lake.scratch];
	return JSON.parse((await runCli(["vacuum", ...where, ...args, "--json"], { LOG_LEVEL: "error" })).stdout);
}

async function status(lake: Lake): Promise<{ number: number; whole: boolean }[]> {
	const end = await runCli(["status", "--lake", lake.path, "--json"]);
	return JSON.parse(end.stdout).lake.snapshots;
}

function counts(tally: Document["deleted"]): Record<string, number> {
	return Object.fromEntries(Object.entries(tally).map(([kind, { files }]) => [kind, files]));
}

const NONE = { receipts: 0, table_files: 0, objects: 0, rejected: 0 };
/** Of one shard: 4 pictures, and the files of images, prompts and pairs. */
const SHARD = { receipts: 1, table_files: 3, objects: 4, rejected: 0 };
const TWO_SHARDS = { receipts: 2, table_files: 6, objects: 8, rejected: 0 };

/** Files of the tables, by the plain glob that readers without Delta use. */
function globbed(lake: Lake): string[] {
	return lakeFiles(lake.path).filter((path) => path.endsWith(".parquet"));
}

function named(lake: Lake): string[] {
	return Object.values(latestSnapshot(lake.path).tables).flatMap(({ files }) => files.map(({ path }) => path));
}

test("a dry run says what would be marked, and writes nothing", async () => {
	const before = digestOf(base.path);
	const found = await vacuum(base, "--keep", "1", "--grace", "0");
	expect(found).toMatchObject({ exit_code: 0, mode: "dry_run", kept: [3], given_up: [1, 2], error: null });
	expect(counts(found.marked)).toEqual(TWO_SHARDS);
	expect(counts(found.deleted)).toEqual(NONE);
	expect(digestOf(base.path)).toBe(before);
	expect(existsSync(join(base.path, ".irlake/vacuum"))).toBe(false);
}, 60_000);

test("by default the newest seven stay, and those of --keep-days: nothing is left over", async () => {
	const lake = base.copy("default");
	expect(await vacuum(lake, "--yes", "--grace", "0")).toMatchObject({ mode: "clean", kept: [1, 2, 3] });
	const young = await vacuum(lake, "--yes", "--keep", "1", "--keep-days", "1", "--grace", "0");
	expect(young).toMatchObject({ mode: "clean", kept: [1, 2, 3], given_up: [] });
}, 60_000);

test("marks first, deletes at the next call, leaves what the newest snapshot needs, and the lake verifies", async () => {
	const lake = base.copy("two-steps");
	const before = digestOf(lake.path);
	const first = await vacuum(lake, "--keep", "1", "--yes", "--grace", "0");
	expect(first).toMatchObject({ mode: "marked", kept: [3] });
	expect(counts(first.marked)).toEqual(TWO_SHARDS);
	expect(digestOf(lake.path)).toBe(before);
	const second = await vacuum(lake, "--keep", "1", "--yes", "--grace", "0");
	expect(second).toMatchObject({ mode: "swept", kept: [3], due: null });
	expect(counts(second.deleted)).toEqual(TWO_SHARDS);
	expect(second.deleted).toEqual(first.marked);
	expect(globbed(lake).sort()).toEqual(named(lake).sort());
	expect(lakeFiles(lake.path).filter((path) => path.startsWith("objects/"))).toHaveLength(8);
	expect(readPinned(lake.path)).toBe(3);
	expect(versionsOf(lake.path)).toBe(3);
	expect(await lake.verify()).toMatchObject({ code: 0 });
	expect((await status(lake)).map(({ whole }) => whole)).toEqual([false, false, true]);
	expect(await vacuum(lake, "--keep", "1", "--yes", "--grace", "0")).toMatchObject({ mode: "clean" });
	// What is kept by a record alone is given back to nobody: more snapshots cannot be kept again.
	expect(await vacuum(lake, "--keep", "7")).toMatchObject({ kept: [3], given_up: [1, 2] });
	expect(readdirSync(join(lake.path, ".irlake/vacuum")).sort()).toEqual(["clock.json", "first-kept.json"]);
}, 60_000);

test("within the grace time nothing is deleted; the document says from when on it may be", async () => {
	const lake = base.copy("grace");
	await vacuum(lake, "--keep", "2", "--yes");
	const again = await vacuum(lake, "--keep", "2", "--yes");
	expect(again).toMatchObject({ mode: "waiting", kept: [2, 3] });
	expect(counts(again.waiting)).toEqual({ ...SHARD, objects: 0 });
	expect(Date.parse(again.due ?? "") - Date.now()).toBeGreaterThan(23 * 3600_000);
	expect(counts(again.deleted)).toEqual(NONE);
	expect(readPinned(lake.path)).toBe(3);
}, 60_000);

test("what nobody names goes as well: objects, parquet, receipts of failed runs; other files stay", async () => {
	const lake = base.copy("strays");
	const hash = "0123456789abcdef".repeat(4);
	const strays = [`objects/sha256/01/${hash}.webp`, `tables/images/split=test/shard=1/${hash.slice(0, 16)}.parquet`];
	const foreign = ["objects/notes.txt", "tables/images/split=test/shard=1/mine.parquet"];
	const known = latestSnapshot(lake.path).tables.images.files[1]?.path ?? "";
	for (const path of [...strays, ...foreign]) {
		const folder = join(lake.path, path, "..");
		mkdirSync(folder, { recursive: true });
		writeFileSync(join(lake.path, path), readFileSync(join(lake.path, known)));
	}
	await vacuum(lake, "--yes", "--grace", "0");
	const swept = await vacuum(lake, "--yes", "--grace", "0");
	expect(counts(swept.deleted)).toEqual({ ...NONE, objects: 1, table_files: 1 });
	for (const path of strays) expect(existsSync(join(lake.path, path))).toBe(false);
	for (const path of foreign) expect(existsSync(join(lake.path, path))).toBe(true);
	// Younger than the grace time, they are not even marked: a mirror may have just made them.
	writeFileSync(join(lake.path, strays[0] ?? ""), "x");
	expect(await vacuum(lake, "--yes")).toMatchObject({ mode: "clean" });
}, 60_000);

test("a rejected member stays while a retained quarantine names it", async () => {
	const other = await World.open("vacuum-rejected", { shards: ["test_1"], images: 24, size: 48, defect: true });
	try {
		const lake = other.lake("rejected");
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		// SHA-256 of nothing: the defect is an empty image.
		const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
		for (const hash of [empty, "0123456789abcdef".repeat(4)]) {
			mkdirSync(join(lake.path, "rejected/sha256", hash.slice(0, 2)), { recursive: true });
			writeFileSync(join(lake.path, "rejected/sha256", hash.slice(0, 2), hash), "");
		}
		await vacuum(lake, "--yes", "--grace", "0");
		expect(counts((await vacuum(lake, "--yes", "--grace", "0")).deleted)).toEqual({ ...NONE, rejected: 1 });
		expect(existsSync(join(lake.path, "rejected/sha256/e3", empty))).toBe(true);
	} finally {
		await other.close();
	}
}, 60_000);

test("rollback and export to a vacuumed snapshot end with 2, and say so; to a marked one they work", async () => {
	const lake = base.copy("rollback");
	const rollback = async (number: number) =>
		JSON.parse((await runCli(["rollback", String(number), "--lake", lake.path, "--json"])).stdout);
	await vacuum(lake, "--keep", "1", "--yes", "--grace", "0");
	expect(await rollback(2)).toMatchObject({ exit_code: 0, number: 4 });
	// The marks were made void: what they hold stays until it is marked anew.
	await vacuum(lake, "--keep", "1", "--yes", "--grace", "0");
	expect(await vacuum(lake, "--keep", "1", "--yes", "--grace", "0")).toMatchObject({ kept: [4], given_up: [1, 3] });
	expect(readPinned(lake.path)).toBe(4);
	// Snapshot 2 has the content of 4.
	expect((await status(lake)).map(({ whole }) => whole)).toEqual([false, true, false, true]);
	const before = digestOf(lake.path);
	expect(await rollback(1)).toMatchObject({ exit_code: 2, error: { code: "SNAPSHOT_VACUUMED" } });
	const out = world.fresh("out");
	const args = ["export", "files", "--lake", lake.path, "--out", out, "--snapshot", "1", "--json"];
	const exported = JSON.parse((await runCli(args)).stdout);
	expect(exported).toMatchObject({ exit_code: 2, error: { code: "SNAPSHOT_VACUUMED" } });
	expect(digestOf(lake.path)).toBe(before);
}, 60_000);

test("a marked receipt counts as absent: the shard is done again, and its receipt is whole afterwards", async () => {
	const lake = base.copy("absent");
	const [receipt = ""] = latestSnapshot(lake.path).shards.map((shard) => shard.receipt);
	await world.change("train", 5);
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	await vacuum(lake, "--keep", "1", "--yes", "--grace", "0");
	await world.change("train", 2);
	const again = JSON.parse((await lake.mirror()).stdout);
	expect(again).toMatchObject({ state: "published", number: 5 });
	expect(again.shards).toMatchObject([
		{ shard: "train_1", state: "done" },
		{ shard: "test_1", state: "reused" },
	]);
	expect(latestSnapshot(lake.path).shards.map((shard) => shard.receipt)).toContain(receipt);
	for (let at = 0; at < 3; at++) await vacuum(lake, "--keep", "1", "--yes", "--grace", "0");
	expect(readPinned(lake.path)).toBe(5);
}, 60_000);

test("of a snapshot that is damaged nothing is deleted", async () => {
	const lake = base.copy("damaged");
	rmSync(join(lake.path, named(lake)[0] ?? ""));
	const before = digestOf(lake.path);
	const found = await vacuum(lake, "--keep", "1", "--yes", "--grace", "0");
	expect(found).toMatchObject({ exit_code: 1, mode: "failed", error: { code: "LAKE_DAMAGED", path: named(lake)[0] } });
	expect(digestOf(lake.path)).toBe(before);
}, 60_000);

test("where there is no lake it ends with 2, and makes none", async () => {
	const lake = world.lake("none");
	expect(await vacuum(lake, "--yes")).toMatchObject({ exit_code: 2, error: { code: "LAKE_NOT_FOUND" } });
	expect(existsSync(lake.path)).toBe(false);
	expect(await vacuum(lake, "--grace", "soon")).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
}, 60_000);

test("what people read is 80 columns wide, and says what comes next", async () => {
	const lake = base.copy("people");
	for (const args of [[], ["--yes"], ["--yes"], []]) {
		const where = ["--lake", lake.path, "--scratch", lake.scratch, "--keep", "1", "--grace", "2h"];
		const end = await runCli(["vacuum", ...where, ...args]);
		expect(end).toMatchObject({ code: 0, stderr: "" });
		expect(end.stdout).toMatch(/irlake vacuum --yes/);
		const lines = end.stdout.replaceAll(lake.path, "./lake").split("\n");
		expect(lines.filter((line) => line.length > 80)).toEqual([]);
	}
}, 60_000);
