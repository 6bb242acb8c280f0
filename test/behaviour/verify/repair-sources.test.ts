import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { digestOf, lakeFiles } from "../../support/lake.js";
import { listed, Repairs, SHARDS, source, ZIP } from "../../support/repairs.js";

/** Whatever a repair puts in its place comes from where the lake had it, and has the bytes that the lake had. */

let repairs: Repairs;

beforeAll(async () => {
	repairs = await Repairs.open("repair-sources");
}, 120_000);
afterAll(() => repairs.lab.close());
beforeEach(() => repairs.fresh());

test("the Hub's later commits do not matter: each shard is fetched from where it was", async () => {
	const damages = repairs.apply(repairs.all());
	const kept = repairs.lab.path("kept.zip");
	cpSync(join(repairs.lab.source, ZIP), kept);
	repairs.lab.replace(ZIP, join(await repairs.lab.variant("other", { seed: 9 }), ZIP));
	await repairs.lab.hub.reload();
	try {
		expect(await repairs.verify()).toMatchObject({ code: 0, repaired: listed(damages) });
		expect(digestOf(repairs.lake)).toBe(repairs.good);
	} finally {
		repairs.lab.replace(ZIP, kept);
		await repairs.lab.hub.reload();
	}
}, 60_000);

describe("wrong bytes never get in", () => {
	/** Damage that no source mends leaves the lake as it is. */
	async function unmended(args: string[], why: RegExp): Promise<void> {
		repairs.fresh();
		const damages = repairs.apply(repairs.objects().slice(0, 3));
		const before = digestOf(repairs.lake);
		const end = await repairs.verify(args);
		expect(end).toMatchObject({ code: 4, ok: false, repaired: [], error: null });
		expect(end.problems.map(({ code, path }) => ({ code, path }))).toEqual(listed(damages));
		for (const { detail } of end.problems) expect(detail).toMatch(why);
		expect(digestOf(repairs.lake)).toBe(before);
	}

	test("of another zip, whose images have these names", async () => {
		const other = await repairs.lab.variant("renamed", { layout: "unpacked" });
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
		const bad = await repairs.lab.variant("bad-crc", {});
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
		await unmended(
			source(await repairs.lab.variant("other", { seed: 9 })),
			/not repaired: the source's shard lacks its image/,
		);
		const train = await repairs.lab.variant("train", { shards: ["train_1"], defect: null });
		await unmended(source(train), /SHARD_MISSING/);
	}, 60_000);

	test("of a table whose shard is another now", async () => {
		const damages = repairs.apply(repairs.all().filter(({ path }) => path.startsWith("tables/pairs")));
		const end = await repairs.verify(source(await repairs.lab.variant("other", { seed: 9 })));
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
				if (damaged) repairs.apply(repairs.objects());
				const before = digestOf(repairs.lake);
				const end = await repairs.verify(["--repair", "--source", where]);
				expect(end).toMatchObject({ code: 2, error: { code } });
				expect(digestOf(repairs.lake)).toBe(before);
			}
		},
		60_000,
	);

	test("as the lake's own, is the reason why something remains", async () => {
		const own = repairs.lab.path("own");
		cpSync(repairs.lab.source, own, { recursive: true });
		expect(await repairs.lab.mirror("moved", "--max-reject-ratio", "1", "--source", own)).toMatchObject({
			state: "published",
		});
		rmSync(own, { recursive: true });
		repairs.lake = repairs.lab.path("moved");
		expect(await repairs.verify()).toMatchObject({ code: 0, error: null });
		const damages = repairs.apply(repairs.objects().slice(0, 2));
		const end = await repairs.verify();
		expect(end).toMatchObject({ code: 4, repaired: [], error: null });
		expect(end.problems.map(({ code, path }) => ({ code, path }))).toEqual(listed(damages));
		for (const { detail } of end.problems) expect(detail).toMatch(/not repaired: .*SOURCE_NOT_FOUND/);
	}, 60_000);
});

test("shards of several sources are each mended from their own", async () => {
	const copy = repairs.lab.path("copy");
	cpSync(repairs.lab.source, copy, { recursive: true });
	const settings = ["--max-reject-ratio", "1"];
	expect(await repairs.lab.mirror("several", ...settings, "--shards", "test_1")).toMatchObject({ number: 1 });
	const second = ["--shards", "test_2", "--source", `file://${copy}`];
	expect(await repairs.lab.mirror("several", ...settings, ...second)).toMatchObject({ number: 2 });
	// The folder has no longer what the Hub's commit has: only each shard's own source can mend it.
	cpSync(join(await repairs.lab.variant("other", { seed: 9 }), ZIP), join(copy, ZIP));
	repairs.lake = repairs.lab.path("several");
	const whole = digestOf(repairs.lake);
	const damages = repairs.apply(
		lakeFiles(repairs.lake)
			.filter((path) => path.startsWith("objects/") || path.startsWith("tables/pairs/split="))
			.map((path) => ({
				code: path.startsWith("objects/") ? "OBJECT_MISSING" : "FILE_MISSING",
				path,
				change: () => null,
			})),
	);
	expect(await repairs.verify()).toMatchObject({ code: 0, problems: [], repaired: listed(damages) });
	expect(digestOf(repairs.lake)).toBe(whole);
}, 60_000);

test("zips that were packed anew mend objects, since these are known by their own bytes", async () => {
	const damages = repairs.apply(repairs.objects());
	const end = await repairs.verify(source(await repairs.lab.variant("packed", { deflate: true })));
	expect(end).toMatchObject({ code: 0, repaired: listed(damages) });
	expect(digestOf(repairs.lake)).toBe(repairs.good);
}, 60_000);

test("what an older snapshot alone has is mended from its own commit", async () => {
	const place = "history";
	expect(await repairs.lab.mirror(place, "--max-reject-ratio", "1")).toMatchObject({ number: 1 });
	const mine = repairs.lab.path(place);
	const old = lakeFiles(mine).filter((path) => path.startsWith("objects/"));
	const kept = [ZIP, "images/test/test_2.zip", "metadata-test.parquet"];
	const other = await repairs.lab.variant("other", { seed: 9 });
	for (const path of kept) {
		cpSync(join(repairs.lab.source, path), repairs.lab.path(path.replaceAll("/", "-")));
		repairs.lab.replace(path, join(other, path));
	}
	await repairs.lab.hub.reload();
	try {
		expect(await repairs.lab.mirror(place, "--max-reject-ratio", "1")).toMatchObject({ number: 2 });
	} finally {
		for (const path of kept) repairs.lab.replace(path, repairs.lab.path(path.replaceAll("/", "-")));
		await repairs.lab.hub.reload();
	}
	const whole = digestOf(mine);
	repairs.lake = mine;
	const damaged = [
		old[0] ?? "",
		...lakeFiles(mine)
			.filter((path) => path.startsWith("objects/") && !old.includes(path))
			.slice(0, 1),
	];
	for (const path of damaged) rmSync(join(mine, path));
	const end = await repairs.verify();
	expect(end).toMatchObject({ code: 0, problems: [] });
	expect(end.repaired.map(({ path }) => path)).toEqual(damaged.toSorted());
	expect(digestOf(mine)).toBe(whole);
}, 120_000);
