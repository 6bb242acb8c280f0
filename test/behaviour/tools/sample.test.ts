import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import yauzl from "yauzl";
import { DuckDBInstance } from "../../../infra/adapters/duckdb/node-api.js";
import { FINDINGS } from "../../../schemas/codes.js";
import { testReal } from "../../support/real.js";
import { REAL_DATA, tempDir } from "../../support/root.js";
import { ROW_COLUMNS, type SourceRow } from "../../support/tables.js";
import { makeSample, type Planted, type SampleOptions } from "../../tools/sample/make.js";
import { drawPicture, pictureWebp } from "../../tools/sample/picture.js";

const work = tempDir("sample");
afterAll(() => work.remove());

let made = 0;
async function sample(options: SampleOptions): Promise<{ dir: string; planted: Planted }> {
	const dir = join(work.path, `sample-${++made}`);
	return { dir, planted: await makeSample(dir, options) };
}

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

/** SHA-256 of every file below a folder, by path. */
function fileHashes(dir: string): Record<string, string> {
	const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
	return Object.fromEntries(paths.map((path) => [relative(dir, path), sha256(readFileSync(path))]));
}

/** Content of every file in a zip, by name without folders. */
async function zipContents(path: string): Promise<Map<string, Buffer>> {
	const contents = new Map<string, Buffer>();
	const zip = await yauzl.openPromise(path);
	for await (const entry of zip.eachEntry()) {
		if (entry.fileName.endsWith("/")) continue;
		const content = await buffer(await zip.openReadStreamPromise(entry));
		contents.set(entry.fileName.slice(entry.fileName.lastIndexOf("/") + 1), content);
	}
	return contents;
}

function groupBy<Value, Key>(values: Iterable<Value>, keyOf: (value: Value) => Key): Map<Key, Value[]> {
	const groups = new Map<Key, Value[]>();
	for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
	return groups;
}

function rowsIn(contents: Map<string, Buffer>, shard: string): SourceRow[] {
	return JSON.parse(String(contents.get(`${shard}.json`))) as SourceRow[];
}

async function metadataRows(file: string): Promise<{ types: Record<string, string>; rows: unknown[] }> {
	const instance = await DuckDBInstance.create(":memory:");
	const connection = await instance.connect();
	const reader = await connection.runAndReadAll(`SELECT * FROM '${file}'`);
	const types = Object.fromEntries(reader.columnNames().map((name, at) => [name, String(reader.columnType(at))]));
	const rows = reader
		.getRowObjects()
		.map((row) =>
			Object.fromEntries(
				Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]),
			),
		);
	connection.closeSync();
	instance.closeSync();
	return { types, rows };
}

describe("the same arguments", () => {
	const options: SampleOptions = { shards: ["train_1", "test_2"], size: 48, defects: true };

	test("give the same bytes", async () => {
		const [first, second] = [await sample(options), await sample(options)];
		expect(fileHashes(second.dir)).toEqual(fileHashes(first.dir));
		expect(second.planted).toEqual(first.planted);
	});

	test("give other bytes with another seed", async () => {
		const plain: SampleOptions = { shards: ["test_1"], size: 48 };
		const [first, second] = [await sample(plain), await sample({ ...plain, seed: 2 })];
		const path = join("images", "test", "test_1.zip");
		expect(fileHashes(second.dir)[path]).not.toBe(fileHashes(first.dir)[path]);
	});

	test("give a shard its bytes whichever others are made", async () => {
		const [alone, among] = [
			await sample({ shards: ["train_7"], size: 48 }),
			await sample({ shards: ["train_2", "train_7", "test_1"], size: 48 }),
		];
		const path = join("images", "train", "train_7.zip");
		expect(fileHashes(among.dir)[path]).toBe(fileHashes(alone.dir)[path]);
	});
});

test("every shard of the repository is made by default", async () => {
	const { dir } = await sample({ size: 16, images: 4 });
	const paths = Object.keys(fileHashes(dir));
	const zips = (split: string, count: number) =>
		Array.from({ length: count }, (_, at) => `images/${split}/${split}_${at + 1}.zip`);
	const metadata = ["train", "validation", "test"].map((split) => `metadata-${split}.parquet`);
	const expected = [...zips("train", 32), ...zips("validation", 2), ...zips("test", 2), ...metadata, "README.md"];
	expect(paths.sort()).toEqual(expected.sort());
});

describe("layouts", () => {
	const options: SampleOptions = { shards: ["validation_2"], size: 48, images: 25 };

	test("hold the same contents", async () => {
		const zip = await sample(options);
		const contents = await zipContents(join(zip.dir, "images/validation/validation_2.zip"));
		const expected = new Map([...contents].map(([name, content]) => [name, sha256(content)]));
		const metadata = fileHashes(zip.dir)["metadata-validation.parquet"];

		const nested = await sample({ ...options, layout: "zip-folder" });
		const inner = await zipContents(join(nested.dir, "images/validation/validation_2.zip"));
		expect(new Map([...inner].map(([name, content]) => [name, sha256(content)]))).toEqual(expected);
		expect(fileHashes(nested.dir)["metadata-validation.parquet"]).toBe(metadata);

		for (const [layout, place] of [
			["unpacked", "validation_2/"],
			["unpacked-json-beside", ""],
		] as const) {
			const { dir } = await sample({ ...options, layout });
			const hashes = fileHashes(dir);
			expect(hashes["metadata-validation.parquet"]).toBe(metadata);
			expect(hashes[`images/validation/${place}validation_2.json`]).toBe(expected.get("validation_2.json"));
			for (const [name, hash] of expected) {
				if (name.endsWith(".webp")) expect(hashes[`images/validation/validation_2/${name}`]).toBe(hash);
			}
			expect(Object.keys(hashes)).toHaveLength(expected.size + 2);
		}
	});
});

describe("own pictures", () => {
	test("are lossless, 200 to 400 KB, all different, some with transparency", async () => {
		const { dir } = await sample({ shards: ["train_3"], images: 60 });
		const contents = await zipContents(join(dir, "images/train/train_3.zip"));
		const pixels = new Set<string>();
		let transparent = 0;
		for (const [name, content] of contents) {
			if (!name.endsWith(".webp")) continue;
			expect(content.toString("latin1", 12, 16)).toBe("VP8L");
			expect(content.length).toBeGreaterThan(200_000);
			expect(content.length).toBeLessThan(400_000);
			const { data, info } = await sharp(content).raw().toBuffer({ resolveWithObject: true });
			expect([info.width, info.height]).toEqual([512, 512]);
			pixels.add(sha256(data));
			if (info.channels === 4) transparent++;
		}
		expect(pixels.size).toBe(60);
		expect(transparent).toBe(3);
	});

	test.each([16, 100, 333, 512])("decode to the very pixels drawn, at %i pixels", async (size) => {
		for (const alpha of [false, true]) {
			const spec = { seed: `pixels/${size}`, size, alpha };
			const decoded = await sharp(pictureWebp(spec)).ensureAlpha().raw().toBuffer();
			expect(decoded.equals(drawPicture(spec))).toBe(true);
		}
	});
});

test("rows are well-formed, their prompts' amounts true, and the metadata says the same", async () => {
	const { dir, planted } = await sample({ shards: ["test_1"], images: 150, size: 16 });
	const contents = await zipContents(join(dir, "images/test/test_1.zip"));
	const rows = rowsIn(contents, "test_1");
	const groups = groupBy(rows, ({ prompt_id }) => prompt_id);
	for (const [promptId, group] of groups) {
		expect(promptId).toMatch(/^\d{6}-\d{4}$/);
		expect(group.length).toBeGreaterThanOrEqual(4);
		expect(group.length).toBeLessThanOrEqual(9);
		expect(new Set(group.map((row) => row.image_amount_in_total))).toEqual(new Set([group.length]));
	}
	for (const row of rows) {
		expect(row.image_path).toMatch(/^images\/test\/test_1\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.webp$/);
		expect(contents.has(row.image_path.slice("images/test/test_1/".length))).toBe(true);
		expect(row.rank).toBeLessThanOrEqual(5);
		for (const rating of [row.overall_rating, row.image_text_alignment_rating, row.fidelity_rating]) {
			expect(rating).toBeGreaterThanOrEqual(1);
			expect(rating).toBeLessThanOrEqual(7);
		}
	}
	const metadata = await metadataRows(join(dir, "metadata-test.parquet"));
	expect(metadata.rows).toEqual(rows);
	expect(Object.keys(metadata.types)).toEqual([...ROW_COLUMNS]);
	expect(new Set(Object.values(metadata.types))).toEqual(new Set(["VARCHAR", "BIGINT"]));
	expect(planted.counts).toMatchObject({ rows_in: 150, rows_published: 150, members_in: 150, prompts: groups.size });
});

testReal("the real data gives its own prompts, rankings and pixels", async () => {
	if (REAL_DATA === null) throw new Error("the folder of real data is not beside the checkout");
	const { dir, planted } = await sample({ from: REAL_DATA });
	expect(planted.counts).toMatchObject({ rows_in: 2720, prompts: 466, pairs: 6399, ties: 7230 - 6399 });
	const rows: SourceRow[] = [];
	const hashes = new Set<string>();
	const pixels = new Map<string, number>();
	for (const shard of ["test_1", "test_2"]) {
		const contents = await zipContents(join(dir, `images/test/${shard}.zip`));
		const own = rowsIn(contents, shard);
		expect(Math.abs(own.length - 1360)).toBeLessThanOrEqual(9);
		rows.push(...own);
		for (const { image_path } of own) hashes.add(sha256(contents.get(image_path.slice(-41)) ?? Buffer.alloc(0)));
		for (const { image_path } of own.slice(0, 20)) {
			const hash = sha256(
				await sharp(contents.get(image_path.slice(-41)))
					.ensureAlpha()
					.raw()
					.toBuffer(),
			);
			pixels.set(hash, (pixels.get(hash) ?? 0) + 1);
		}
	}
	expect(hashes.size).toBe(2720);
	const real = await Promise.all(
		[1, 2, 3, 4].map((n) =>
			sharp(join(String(REAL_DATA), `${n}.webp`))
				.ensureAlpha()
				.raw()
				.toBuffer(),
		),
	);
	expect([...pixels.keys()].sort()).toEqual(real.map(sha256).sort());
	const sizes = groupBy(groupBy(rows, (row) => row.prompt_id).values(), (group) => group.length);
	expect([4, 5, 6, 7, 8, 9].map((size) => sizes.get(size)?.length)).toEqual([194, 2, 45, 159, 43, 23]);
	const ranks = groupBy(rows, (row) => row.rank);
	expect([1, 2, 3, 4, 5].map((rank) => ranks.get(rank)?.length)).toEqual([597, 684, 628, 529, 282]);
});

/** Made by a setting, and met in datasets of PNGs only. */
const NEVER_PLANTED = ["GROUP_DROPPED", "IMAGE_NOT_PNG"];

describe("planted defects", () => {
	test("are one or more of every row, image and warn code, each in a prompt of its own, few enough a shard", async () => {
		const { dir, planted } = await sample({ shards: ["train_1", "train_2", "test_1"], size: 32, defects: true });
		const codes = Object.entries(FINDINGS).filter(([code, { level }]) => {
			return ["row", "image", "warn"].includes(level) && !NEVER_PLANTED.includes(code);
		});
		expect(Object.keys(planted.findings).sort()).toEqual(codes.map(([code]) => code).sort());
		const prompts = planted.planted.flatMap(({ prompt_id }) => prompt_id ?? []);
		expect(new Set(prompts).size).toBe(prompts.length);
		for (const { counts } of Object.values(planted.shards)) {
			expect(counts.rows_rejected / counts.rows_in).toBeLessThan(0.05);
			expect(counts.rows_in).toBe(counts.rows_published + counts.rows_rejected);
			expect(counts.members_in).toBe(counts.members_published + counts.members_rejected + counts.orphans);
		}
		expect(JSON.parse(readFileSync(`${dir}.planted.json`, "utf8"))).toEqual(planted);
	});

	test("need room: shards that are too small are refused before anything is written", async () => {
		const dir = join(work.path, "too-small");
		const making = makeSample(dir, { shards: ["test_1", "test_2"], images: 100, defects: true });
		await expect(making).rejects.toMatchObject({ code: "USAGE", hint: expect.stringContaining("221") });
		expect(statSync(dir, { throwIfNoEntry: false })).toBeUndefined();
	});

	test("of a fatal code are in one shard alone, which is left out of the expected counts", async () => {
		const defect = { code: "ZIP_CORRUPT", shard: "test_2", variant: null } as const;
		const whole = await sample({ shards: ["test_1", "test_2"], size: 32 });
		const broken = await sample({ shards: ["test_1", "test_2"], size: 32, defect });
		const [before, after] = [fileHashes(whole.dir), fileHashes(broken.dir)];
		const changed = Object.keys(before).filter((path) => before[path] !== after[path]);
		expect(changed).toEqual(["images/test/test_2.zip"]);
		expect(broken.planted.counts).toEqual(whole.planted.shards.test_1?.counts);
		await expect(zipContents(join(broken.dir, "images/test/test_2.zip"))).rejects.toThrow();
	});
});

test("a folder that holds something is left alone", async () => {
	const { dir } = await sample({ shards: ["test_1"], size: 16, images: 4 });
	const before = fileHashes(dir);
	await expect(makeSample(dir, { shards: ["test_2"] })).rejects.toMatchObject({ code: "USAGE" });
	expect(fileHashes(dir)).toEqual(before);
});
