import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { openTableFiles } from "../../infra/adapters/duckdb.js";
import { openFolderStore } from "../../infra/adapters/store/folder-store.js";
import { imageRewardDb } from "../../pipelines/datasets/image-reward-db.js";
import { RETRY_POLICY } from "../../pipelines/retry.js";
import type { ObjectRow } from "../../pipelines/verify/check-object.js";
import { createMender } from "../../pipelines/verify/mend.js";
import { systemClock } from "../../workers/clock.js";
import { openLog } from "../../workers/log.js";
import { openProgress } from "../../workers/progress.js";
import { archives } from "../../workers/wire.js";
import { faultEnv } from "../faults/fault.js";
import { digestOf, lakeFiles, latestSnapshot } from "../faults/lake.js";
import { type Damage, everyDamage } from "../support/damage.js";
import { Lab } from "../support/lab.js";
import { rowsOf } from "./mirror-run.js";

/** `irlake verify --repair` makes a damaged lake the lake that it was, byte by byte, and never another. */

const SHARDS = ["test_1", "test_2"];
const SAMPLE = {
	shards: SHARDS,
	images: 6,
	size: 24,
	defect: { code: "IMAGE_ORPHAN", shard: "test_1", variant: null },
} as const;
const ZIP = "images/test/test_1.zip";

let lab: Lab;
let good: string;
/** Each test's own. */
let lake: string;
let lakes = 0;

beforeAll(async () => {
	lab = await Lab.open("repair", { ...SAMPLE, shards: SHARDS });
	expect(await lab.mirror("good", "--max-reject-ratio", "1")).toMatchObject({ state: "published" });
	good = digestOf(lab.path("good"));
}, 120_000);
afterAll(() => lab.close());

beforeEach(fresh);

function fresh(): void {
	lake = lab.path(`lake-${++lakes}`);
	cpSync(lab.path("good"), lake, { recursive: true });
}

interface Audit {
	code: number | null;
	ok: boolean;
	problems: { code: string; path: string; detail: string }[];
	repaired: { code: string; path: string }[];
	error: { code: string } | null;
}

async function verify(args: string[] = ["--repair"], env: NodeJS.ProcessEnv = {}): Promise<Audit> {
	const end = await lab.run(["verify", "--lake", lake, "--json", ...args], env);
	return { code: end.code, ...JSON.parse(end.stdout) };
}

function apply(damages: Damage[]): Damage[] {
	for (const { path, change } of damages) {
		const changed = change(readFileSync(join(lake, path)));
		if (changed === null) rmSync(join(lake, path));
		else writeFileSync(join(lake, path), changed);
	}
	return damages;
}

const all = (): Damage[] => everyDamage(lakeFiles(lake));
const objects = (): Damage[] => all().filter(({ code }) => code.startsWith("OBJECT_"));
/** As `repaired` lists them. */
const listed = (damages: Damage[]) =>
	damages.map(({ code, path }) => ({ code, path })).sort((a, b) => (a.path < b.path ? -1 : 1));
const source = (folder: string): string[] => ["--repair", "--source", `file://${folder}`];

describe("every kind of damage at once", () => {
	test("is told without --repair, and nothing is written", async () => {
		const damages = apply(all());
		const before = digestOf(lake);
		const { code, problems, repaired } = await verify([]);
		expect({ code, repaired }).toEqual({ code: 4, repaired: [] });
		// What a damaged file of images names cannot be looked at.
		expect(damages.map(({ path }) => path)).toEqual(expect.arrayContaining(problems.map(({ path }) => path)));
		expect(digestOf(lake)).toBe(before);
	}, 60_000);

	test("from the Hub: all of it, and nothing else is written", async () => {
		const damages = apply(all());
		const touched = new Set(damages.map(({ path }) => path));
		const sound = lakeFiles(lake).filter((path) => !touched.has(path));
		const look = () => sound.map((path) => [path, statSync(join(lake, path)).ino, statSync(join(lake, path)).mtimeMs]);
		const before = look();
		const end = await verify();
		expect(end).toMatchObject({ code: 0, ok: true, problems: [], error: null });
		expect(end.repaired).toEqual(listed(damages));
		expect(digestOf(lake)).toBe(good);
		expect(look()).toEqual(before);
		expect(await verify(["--deep"])).toMatchObject({ code: 0, repaired: [] });
	}, 60_000);

	test.each(["zip", "zip-folder", "unpacked"] as const)(
		"the objects of it, from a folder: %s",
		async (layout) => {
			const damages = apply(objects());
			const folder = await lab.variant(layout, { layout });
			const end = await verify(source(folder), { HF_ENDPOINT: "http://127.0.0.1:9" });
			expect(end).toMatchObject({ code: 0, problems: [], repaired: listed(damages) });
			expect(digestOf(lake)).toBe(good);
		},
		60_000,
	);

	test("a text tells what was repaired, within 80 columns but for paths", async () => {
		apply(objects());
		const { code, stdout } = await lab.run(["verify", "--lake", lake, "--repair"]);
		expect(code).toBe(0);
		expect(stdout).toMatch(/: all is as recorded, 5 repaired\n/);
		expect(stdout).toMatch(/^ {2}repaired {2}OBJECT_HASH {2}objects\/sha256/m);
	}, 60_000);
});

test("an empty folder in an object's place gives way; one that holds something stays, and is told", async () => {
	const [first, second] = objects().map(({ path }) => path);
	for (const path of [first ?? "", second ?? ""]) {
		rmSync(join(lake, path));
		mkdirSync(join(lake, path));
	}
	writeFileSync(join(lake, second ?? "", "somebody's"), "x");
	const end = await verify();
	expect(end).toMatchObject({ code: 4, repaired: [{ code: "OBJECT_MISSING", path: first }] });
	expect(end.problems).toEqual([
		expect.objectContaining({ path: second, detail: expect.stringContaining("not repaired") }),
	]);
	expect(readFileSync(join(lake, second ?? "", "somebody's"), "utf8")).toBe("x");
}, 60_000);

test("the Hub's later commits do not matter: each shard is fetched from where it was", async () => {
	const damages = apply(all());
	const kept = lab.path("kept.zip");
	cpSync(join(lab.source, ZIP), kept);
	lab.replace(ZIP, join(await lab.variant("other", { seed: 9 }), ZIP));
	await lab.hub.reload();
	try {
		expect(await verify()).toMatchObject({ code: 0, repaired: listed(damages) });
		expect(digestOf(lake)).toBe(good);
	} finally {
		lab.replace(ZIP, kept);
		await lab.hub.reload();
	}
}, 60_000);

describe("wrong bytes never get in", () => {
	/** Damage that no source mends leaves the lake as it is. */
	async function unmended(args: string[], why: RegExp): Promise<void> {
		fresh();
		const damages = apply(objects().slice(0, 3));
		const before = digestOf(lake);
		const end = await verify(args);
		expect(end).toMatchObject({ code: 4, ok: false, repaired: [], error: null });
		expect(end.problems.map(({ code, path }) => ({ code, path }))).toEqual(listed(damages));
		for (const { detail } of end.problems) expect(detail).toMatch(why);
		expect(digestOf(lake)).toBe(before);
	}

	test("of another zip, whose images have these names", async () => {
		const other = await lab.variant("renamed", { layout: "unpacked" });
		for (const shard of SHARDS) {
			const folder = join(other, `images/test/${shard}`);
			const names = readdirSync(folder)
				.filter((name) => name.endsWith(".webp"))
				.sort();
			const contents = names.map((name) => readFileSync(join(folder, name)));
			for (const [at, name] of names.entries())
				writeFileSync(join(folder, name), contents[(at + 1) % names.length] ?? "");
		}
		await unmended(source(other), /not repaired: its image at the source has the SHA-256/);
	}, 60_000);

	test("of a zip whose members do not have their CRC-32", async () => {
		const bad = await lab.variant("bad-crc", {});
		for (const shard of SHARDS) {
			const file = join(bad, `images/test/${shard}.zip`);
			const content = readFileSync(file);
			// Pictures are stored as they are: a byte of each is changed.
			for (let at = content.indexOf("VP8L"); at >= 0; at = content.indexOf("VP8L", at + 4)) {
				content[at + 30] = (content[at + 30] ?? 0) ^ 1;
			}
			writeFileSync(file, content);
		}
		await unmended(source(bad), /not repaired: its image at the source.*is not the one that the lake was made of/);
	}, 60_000);

	test("of a source that lacks the image or the shard", async () => {
		await unmended(source(await lab.variant("other", { seed: 9 })), /not repaired: the source's shard lacks its image/);
		const train = await lab.variant("train", { shards: ["train_1"], defect: null });
		await unmended(source(train), /SHARD_MISSING/);
	}, 60_000);

	test("of a table whose shard is another now", async () => {
		const damages = apply(all().filter(({ path }) => path.startsWith("tables/pairs")));
		const end = await verify(source(await lab.variant("other", { seed: 9 })));
		expect(end).toMatchObject({ code: 4, repaired: [] });
		expect(end.problems.map(({ path }) => path)).toEqual(damages.map(({ path }) => path));
		expect(end.problems[0]?.detail).toMatch(/not repaired: .*SOURCE_CHANGED/);
	}, 60_000);
});

describe("a source that cannot be had", () => {
	test.each([
		["file:///nowhere/at/all", "SOURCE_NOT_FOUND"],
		["hf://nobody/Nothing", "HUB_NOT_FOUND"],
	])(
		"as --source, %s ends it before anything is looked at, be the lake damaged or not",
		async (where, code) => {
			for (const damaged of [false, true]) {
				if (damaged) apply(objects());
				const before = digestOf(lake);
				const end = await verify(["--repair", "--source", where]);
				expect(end).toMatchObject({ code: 2, error: { code } });
				expect(digestOf(lake)).toBe(before);
			}
		},
		60_000,
	);

	test("as the lake's own, is the reason why something remains", async () => {
		const own = lab.path("own");
		cpSync(lab.source, own, { recursive: true });
		expect(await lab.mirror("moved", "--max-reject-ratio", "1", "--source", own)).toMatchObject({ state: "published" });
		rmSync(own, { recursive: true });
		lake = lab.path("moved");
		expect(await verify()).toMatchObject({ code: 0, error: null });
		const damages = apply(objects().slice(0, 2));
		const end = await verify();
		expect(end).toMatchObject({ code: 4, repaired: [], error: null });
		expect(end.problems.map(({ code, path }) => ({ code, path }))).toEqual(listed(damages));
		for (const { detail } of end.problems) expect(detail).toMatch(/not repaired: .*SOURCE_NOT_FOUND/);
	}, 60_000);
});

test("shards of several sources are each mended from their own", async () => {
	const copy = lab.path("copy");
	cpSync(lab.source, copy, { recursive: true });
	const settings = ["--max-reject-ratio", "1"];
	expect(await lab.mirror("several", ...settings, "--shards", "test_1")).toMatchObject({ number: 1 });
	const second = ["--shards", "test_2", "--source", `file://${copy}`];
	expect(await lab.mirror("several", ...settings, ...second)).toMatchObject({ number: 2 });
	// The folder has no longer what the Hub's commit has: only each shard's own source can mend it.
	cpSync(join(await lab.variant("other", { seed: 9 }), ZIP), join(copy, ZIP));
	lake = lab.path("several");
	const whole = digestOf(lake);
	const damages = apply(
		lakeFiles(lake)
			.filter((path) => path.startsWith("objects/") || path.startsWith("tables/pairs/split="))
			.map((path) => ({
				code: path.startsWith("objects/") ? "OBJECT_MISSING" : "FILE_MISSING",
				path,
				change: () => null,
			})),
	);
	expect(await verify()).toMatchObject({ code: 0, problems: [], repaired: listed(damages) });
	expect(digestOf(lake)).toBe(whole);
}, 60_000);

test("zips that were packed anew mend objects, since these are known by their own bytes", async () => {
	const damages = apply(objects());
	const end = await verify(source(await lab.variant("packed", { deflate: true })));
	expect(end).toMatchObject({ code: 0, repaired: listed(damages) });
	expect(digestOf(lake)).toBe(good);
}, 60_000);

test("what an older snapshot alone has is mended from its own commit", async () => {
	const place = "history";
	expect(await lab.mirror(place, "--max-reject-ratio", "1")).toMatchObject({ number: 1 });
	const mine = lab.path(place);
	const old = lakeFiles(mine).filter((path) => path.startsWith("objects/"));
	const kept = [ZIP, "images/test/test_2.zip", "metadata-test.parquet"];
	const other = await lab.variant("other", { seed: 9 });
	for (const path of kept) {
		cpSync(join(lab.source, path), lab.path(path.replaceAll("/", "-")));
		lab.replace(path, join(other, path));
	}
	await lab.hub.reload();
	try {
		expect(await lab.mirror(place, "--max-reject-ratio", "1")).toMatchObject({ number: 2 });
	} finally {
		for (const path of kept) lab.replace(path, lab.path(path.replaceAll("/", "-")));
		await lab.hub.reload();
	}
	const whole = digestOf(mine);
	lake = mine;
	const damaged = [
		old[0] ?? "",
		...lakeFiles(mine)
			.filter((path) => path.startsWith("objects/") && !old.includes(path))
			.slice(0, 1),
	];
	for (const path of damaged) rmSync(join(mine, path));
	const end = await verify();
	expect(end).toMatchObject({ code: 0, problems: [] });
	expect(end.repaired.map(({ path }) => path)).toEqual(damaged.toSorted());
	expect(digestOf(mine)).toBe(whole);
}, 120_000);

test("records are left as they are, and say what to do", async () => {
	const receipt = latestSnapshot(lake).shards[0]?.receipt ?? "";
	writeFileSync(join(lake, receipt), "{");
	const damages = apply(objects().slice(0, 1));
	const end = await verify();
	expect(end).toMatchObject({ code: 4, repaired: listed(damages) });
	expect(end.problems).toEqual([
		{
			code: "RECORD_INVALID",
			path: receipt,
			detail: expect.stringMatching(/not repaired: a record is never made by guess/),
		},
	]);
	expect(readFileSync(join(lake, receipt), "utf8")).toBe("{");
}, 60_000);

test("two problems of one record each say once why they remain", async () => {
	const receipt = join(lake, latestSnapshot(lake).shards[0]?.receipt ?? "");
	const told = JSON.parse(readFileSync(receipt, "utf8"));
	told.counts.rows_in++;
	told.counts.members_in++;
	writeFileSync(receipt, JSON.stringify(told));
	const { code, problems } = await verify();
	expect(code).toBe(4);
	expect(problems.filter(({ path }) => receipt.endsWith(path)).length).toBeGreaterThan(1);
	for (const { detail } of problems) expect(detail.split("not repaired").length).toBe(2);
}, 60_000);

describe("a lake with settings of its own", () => {
	test.each([
		["selective", ["--where", "rank <= 2"]],
		["webp", ["--image", "webp", "--quality", "70"]],
		["png", ["--image", "png", "--max-side", "20"]],
	])(
		"%s",
		async (name, settings) => {
			expect(await lab.mirror(name, "--max-reject-ratio", "1", ...settings)).toMatchObject({ state: "published" });
			lake = lab.path(name);
			const whole = digestOf(lake);
			const damages = apply(all());
			expect(await verify()).toMatchObject({ code: 0, problems: [], repaired: listed(damages) });
			expect(digestOf(lake)).toBe(whole);
		},
		60_000,
	);
});

test("an object that another codec encoded is not made again by this one, nor fetched", async () => {
	expect(await lab.mirror("encoded", "--max-reject-ratio", "1", "--image", "png")).toMatchObject({
		state: "published",
	});
	const place = lab.path("encoded");
	const before = digestOf(place);
	const tables = await openTableFiles({ spill: lab.path("spill") });
	const never = (): never => {
		throw new Error("not to be asked for");
	};
	const told: [string, string | null][] = [];
	try {
		const mender = createMender(
			{
				...{ dataset: imageRewardDb, store: openFolderStore(place), tables, archives, clock: systemClock },
				...{ progress: openProgress(await openLog({ LOG_LEVEL: "silent" }), false, 1), retry: RETRY_POLICY },
				...{
					scratch: lab.path("mend"),
					work: lab.path("mend"),
					staged: lab.path("mend"),
					images: never,
					sourceOf: never,
					openPredicate: never,
				},
				codec: async () => "sharp of another release",
			},
			new AbortController().signal,
		);
		const [row] = (await rowsOf(place, "images")) as unknown as ObjectRow[];
		await mender.objects(row ? [row] : [], [latestSnapshot(place)], async (path, why) => void told.push([path, why]));
		expect(told).toEqual([[row?.object_key, expect.stringMatching(/re-encoded by sharp.*another release/)]]);
	} finally {
		await tables.close();
	}
	expect(digestOf(place)).toBe(before);
}, 60_000);

test("killed between the files that it puts in place, a repair leaves whole files only, and the next one goes on", async () => {
	const damages = apply(all());
	const wrong = () => damages.filter(({ path }) => !sound(path)).length;
	const sound = (path: string): boolean => {
		try {
			return readFileSync(join(lake, path)).equals(readFileSync(join(lab.path("good"), path)));
		} catch {
			return false;
		}
	};
	const damaged = new Map(
		damages.map(({ path, change }) => [path, change(readFileSync(join(lab.path("good"), path)))]),
	);
	let before = wrong();
	expect(before).toBe(damages.length);
	// The fourth file: tables are first, then the objects of each shard.
	for (const when of ["before", "after"] as const) {
		const fault = { op: "rename", match: lake, nth: 4, when, do: "SIGKILL" } as const;
		const end = await lab.run(["verify", "--lake", lake, "--repair", "--json"], faultEnv(fault));
		// Each file is what it was, or what it shall be.
		for (const [path, content] of damaged) {
			if (sound(path)) continue;
			if (content === null) expect(() => readFileSync(join(lake, path))).toThrow("ENOENT");
			else expect(readFileSync(join(lake, path)).equals(content)).toBe(true);
		}
		expect(end.signal).toBe("SIGKILL");
		const now = wrong();
		expect(now).toBeLessThan(before);
		before = now;
	}
	expect(await verify()).toMatchObject({ code: 0, problems: [] });
	expect(digestOf(lake)).toBe(good);
	const left = lab.names("cache/irlake/work").filter((name) => name.startsWith("verify."));
	expect([...left, ...lab.names("cache/irlake/ranges")]).toEqual([]);
}, 120_000);

test("a disk that refuses is told of each file, and leaves the lake as it was", async () => {
	apply(objects());
	const before = digestOf(lake);
	const end = await verify(["--repair"], faultEnv({ op: "rename", match: lake, lasting: true, do: "EIO" }));
	expect(end).toMatchObject({ code: 4, repaired: [] });
	for (const { detail } of end.problems) expect(detail).toMatch(/not repaired: .*LAKE_UNWRITABLE/);
	expect(digestOf(lake)).toBe(before);
}, 60_000);
