import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { openTableFiles } from "../../../infra/adapters/duckdb/table-files.js";
import { openFolderStore } from "../../../infra/adapters/store/folder/store.js";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { RETRY_POLICY } from "../../../pipelines/retry.js";
import type { ObjectRow } from "../../../pipelines/verify/check-object.js";
import { createMender } from "../../../pipelines/verify/mend.js";
import { systemClock } from "../../../workers/clock.js";
import { openLog } from "../../../workers/log.js";
import { openProgress } from "../../../workers/report/progress.js";
import { archives } from "../../../workers/wire.js";
import { faultEnv } from "../../support/fault.js";
import { digestOf, lakeFiles, latestSnapshot } from "../../support/lake.js";
import { rowsOf } from "../../support/mirror-run.js";
import { listed, Repairs, source } from "../../support/repairs.js";

/** `irlake verify --repair` makes a damaged lake the lake that it was, byte by byte, and never another. */

let repairs: Repairs;

beforeAll(async () => {
	repairs = await Repairs.open("repair");
}, 120_000);
afterAll(() => repairs.lab.close());
beforeEach(() => repairs.fresh());

describe("every kind of damage at once", () => {
	test("is told without --repair, and nothing is written", async () => {
		const damages = repairs.apply(repairs.all());
		const before = digestOf(repairs.lake);
		const { code, problems, repaired } = await repairs.verify([]);
		expect({ code, repaired }).toEqual({ code: 4, repaired: [] });
		// What a damaged file of images names cannot be looked at.
		expect(damages.map(({ path }) => path)).toEqual(expect.arrayContaining(problems.map(({ path }) => path)));
		expect(digestOf(repairs.lake)).toBe(before);
	}, 60_000);

	test("from the Hub: all of it, and nothing else is written", async () => {
		const damages = repairs.apply(repairs.all());
		const touched = new Set(damages.map(({ path }) => path));
		const sound = lakeFiles(repairs.lake).filter((path) => !touched.has(path));
		const look = () =>
			sound.map((path) => [path, statSync(join(repairs.lake, path)).ino, statSync(join(repairs.lake, path)).mtimeMs]);
		const before = look();
		const end = await repairs.verify();
		expect(end).toMatchObject({ code: 0, ok: true, problems: [], error: null });
		expect(end.repaired).toEqual(listed(damages));
		expect(digestOf(repairs.lake)).toBe(repairs.good);
		expect(look()).toEqual(before);
		expect(await repairs.verify(["--deep"])).toMatchObject({ code: 0, repaired: [] });
	}, 60_000);

	test.each(["zip", "zip-folder", "unpacked"] as const)(
		"the objects of it, from a folder: %s",
		async (layout) => {
			const damages = repairs.apply(repairs.objects());
			const folder = await repairs.lab.variant(layout, { layout });
			const end = await repairs.verify(source(folder), { HF_ENDPOINT: "http://127.0.0.1:9" });
			expect(end).toMatchObject({ code: 0, problems: [], repaired: listed(damages) });
			expect(digestOf(repairs.lake)).toBe(repairs.good);
		},
		60_000,
	);

	test("a text tells what was repaired, within 80 columns but for paths", async () => {
		repairs.apply(repairs.objects());
		const { code, stdout } = await repairs.lab.run(["verify", "--lake", repairs.lake, "--repair"]);
		expect(code).toBe(0);
		expect(stdout).toMatch(/: all is as recorded, 5 repaired\n/);
		expect(stdout).toMatch(/^ {2}repaired {2}OBJECT_HASH {2}objects\/sha256/m);
	}, 60_000);
});

test("an empty folder in an object's place gives way; one that holds something stays, and is told", async () => {
	const [first, second] = repairs.objects().map(({ path }) => path);
	for (const path of [first ?? "", second ?? ""]) {
		rmSync(join(repairs.lake, path));
		mkdirSync(join(repairs.lake, path));
	}
	writeFileSync(join(repairs.lake, second ?? "", "somebody's"), "x");
	const end = await repairs.verify();
	expect(end).toMatchObject({ code: 4, repaired: [{ code: "OBJECT_MISSING", path: first }] });
	expect(end.problems).toEqual([
		expect.objectContaining({ path: second, detail: expect.stringContaining("not repaired") }),
	]);
	expect(readFileSync(join(repairs.lake, second ?? "", "somebody's"), "utf8")).toBe("x");
}, 60_000);

test("records are left as they are, and say what to do", async () => {
	const receipt = latestSnapshot(repairs.lake).shards[0]?.receipt ?? "";
	writeFileSync(join(repairs.lake, receipt), "{");
	const damages = repairs.apply(repairs.objects().slice(0, 1));
	const end = await repairs.verify();
	expect(end).toMatchObject({ code: 4, repaired: listed(damages) });
	expect(end.problems).toEqual([
		{
			code: "RECORD_INVALID",
			path: receipt,
			detail: expect.stringMatching(/not repaired: a record is never made by guess/),
		},
	]);
	expect(readFileSync(join(repairs.lake, receipt), "utf8")).toBe("{");
}, 60_000);

test("two problems of one record each say once why they remain", async () => {
	const receipt = join(repairs.lake, latestSnapshot(repairs.lake).shards[0]?.receipt ?? "");
	const told = JSON.parse(readFileSync(receipt, "utf8"));
	told.counts.rows_in++;
	told.counts.members_in++;
	writeFileSync(receipt, JSON.stringify(told));
	const { code, problems } = await repairs.verify();
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
			expect(await repairs.lab.mirror(name, "--max-reject-ratio", "1", ...settings)).toMatchObject({
				state: "published",
			});
			repairs.lake = repairs.lab.path(name);
			const whole = digestOf(repairs.lake);
			const damages = repairs.apply(repairs.all());
			expect(await repairs.verify()).toMatchObject({ code: 0, problems: [], repaired: listed(damages) });
			expect(digestOf(repairs.lake)).toBe(whole);
		},
		60_000,
	);
});

test("an object that another codec encoded is not made again by this one, nor fetched", async () => {
	expect(await repairs.lab.mirror("encoded", "--max-reject-ratio", "1", "--image", "png")).toMatchObject({
		state: "published",
	});
	const place = repairs.lab.path("encoded");
	const before = digestOf(place);
	const tables = await openTableFiles({ spill: repairs.lab.path("spill") });
	const never = (): never => {
		throw new Error("not to be asked for");
	};
	const told: [string, string | null][] = [];
	try {
		const mender = createMender(
			{
				dataset: imageRewardDb,
				store: openFolderStore(place),
				tables,
				archives,
				clock: systemClock,
				progress: openProgress(await openLog({ LOG_LEVEL: "silent" }), false, 1),
				retry: RETRY_POLICY,
				scratch: repairs.lab.path("mend"),
				work: repairs.lab.path("mend"),
				staged: repairs.lab.path("mend"),
				images: never,
				sourceOf: never,
				openPredicate: never,
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
	const damages = repairs.apply(repairs.all());
	const wrong = () => damages.filter(({ path }) => !sound(path)).length;
	const sound = (path: string): boolean => {
		try {
			return readFileSync(join(repairs.lake, path)).equals(readFileSync(join(repairs.lab.path("good"), path)));
		} catch {
			return false;
		}
	};
	const damaged = new Map(
		damages.map(({ path, change }) => [path, change(readFileSync(join(repairs.lab.path("good"), path)))]),
	);
	let before = wrong();
	expect(before).toBe(damages.length);
	// The fourth file: tables are first, then the objects of each shard.
	for (const when of ["before", "after"] as const) {
		const fault = { op: "rename", match: repairs.lake, nth: 4, when, do: "SIGKILL" } as const;
		const end = await repairs.lab.run(["verify", "--lake", repairs.lake, "--repair", "--json"], faultEnv(fault));
		// Each file is what it was, or what it shall be.
		for (const [path, content] of damaged) {
			if (sound(path)) continue;
			if (content === null) expect(() => readFileSync(join(repairs.lake, path))).toThrow("ENOENT");
			else expect(readFileSync(join(repairs.lake, path)).equals(content)).toBe(true);
		}
		expect(end.signal).toBe("SIGKILL");
		const now = wrong();
		expect(now).toBeLessThan(before);
		before = now;
	}
	expect(await repairs.verify()).toMatchObject({ code: 0, problems: [] });
	expect(digestOf(repairs.lake)).toBe(repairs.good);
	const left = repairs.lab.names("cache/irlake/work").filter((name) => name.startsWith("verify."));
	expect([...left, ...repairs.lab.names("cache/irlake/ranges")]).toEqual([]);
}, 120_000);

test("a disk that refuses is told of each file, and leaves the lake as it was", async () => {
	repairs.apply(repairs.objects());
	const before = digestOf(repairs.lake);
	const end = await repairs.verify(
		["--repair"],
		faultEnv({ op: "rename", match: repairs.lake, lasting: true, do: "EIO" }),
	);
	expect(end).toMatchObject({ code: 4, repaired: [] });
	for (const { detail } of end.problems) expect(detail).toMatch(/not repaired: .*LAKE_UNWRITABLE/);
	expect(digestOf(repairs.lake)).toBe(before);
}, 60_000);
