import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Mirrored, mirror, type Row, rowsOf, verify } from "../../support/mirror-run.js";
import { recompute, requireOrSkip } from "../../support/python.js";
import { REAL_DATA, tempDir } from "../../support/root.js";
import { fileName, row } from "../../support/values.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import { makeSample } from "../../tools/sample/make.js";
import { writeMetadata } from "../../tools/sample/metadata.js";

/** Figures and pixels as the README of the real data counts them, independently of this project. */

const PICTURES = [
	{
		bytes: 336918,
		crc32: "08baee06",
		pixel_sha256: "3a12cfae1178bbe40f98a6c309b190e3db6ba0cbcf7578bc8817dbac4a1bf1ca",
		dhash: "1cec0e833f9fa31f",
	},
	{
		bytes: 256026,
		crc32: "73abe766",
		pixel_sha256: "64629d1c3a82abb6244a26d57dc8778cd84b88ba5e76443ac471fecc5eb381a8",
		dhash: "222d2cdb1fcf01a2",
	},
	{
		bytes: 282058,
		crc32: "53abc3b6",
		pixel_sha256: "4b119fcbbfbb5c4c3afed485bfbf9c04f0df8645baaa44e59195501318a3e3ed",
		dhash: "1e23bee0050e0534",
	},
	{
		bytes: 318528,
		crc32: "32e53bfa",
		pixel_sha256: "0ca5403293926e186cb18f636b1f22d2a25cb20009db200e560f32b5bde75df3",
		dhash: "050f63531e062b02",
	},
];

const LONG = 900_000;
const data = REAL_DATA ?? "";
if (REAL_DATA === null)
	process.stderr.write("No ../shared/data/imagereward: tests on the real test split are skipped.\n");
const describeReal = REAL_DATA === null ? describe.skip : describe;
const describePython = REAL_DATA === null ? describe.skip : await requireOrSkip();

let temp: ReturnType<typeof tempDir>;
beforeAll(() => {
	temp = tempDir("real-data");
});
afterAll(() => temp.remove());

/** How many rows have each value of a column. */
function tally(rows: Row[], column: string): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const one of rows) counts[String(one[column])] = (counts[String(one[column])] ?? 0) + 1;
	return counts;
}

describeReal("the real test split, from the Hub", () => {
	let hub: HubHandle;
	let source: string;
	let lake: string;
	let run: Mirrored;

	beforeAll(async () => {
		[source, lake] = [join(temp.path, "source"), join(temp.path, "lake")];
		await makeSample(source, { from: data });
		hub = await startHub(source);
		run = await mirror({ endpoint: hub.endpoint }, lake, ["--split", "test"]);
	}, LONG);
	afterAll(() => hub?.stop());

	test("is published whole, without a finding", () => {
		expect(run).toMatchObject({ code: 0, document: { state: "published", number: 1, findings: {}, error: null } });
		expect(run.document.counts).toMatchObject({
			prompts: 466,
			rows_in: 2720,
			rows_published: 2720,
			members_published: 2720,
			pairs: 6399,
			ties: 7230 - 6399,
		});
	});

	test("has the group sizes and rank values that were counted from test.json", async () => {
		expect(tally(await rowsOf(lake, "prompts"), "image_count")).toEqual({
			4: 194,
			5: 2,
			6: 45,
			7: 159,
			8: 43,
			9: 23,
		});
		expect(tally(await rowsOf(lake, "images"), "rank")).toEqual({ 1: 597, 2: 684, 3: 628, 4: 529, 5: 282 });
		expect(await rowsOf(lake, "pairs")).toHaveLength(6399);
		expect(await rowsOf(lake, "quarantine")).toEqual([]);
	});

	test("has the pixels of the four pictures and no others, and bytes of its own for each image", async () => {
		const images = await rowsOf(lake, "images");
		expect(Object.keys(tally(images, "pixel_sha256")).sort()).toEqual(PICTURES.map((one) => one.pixel_sha256).sort());
		for (const image of images) {
			const picture = PICTURES.find(({ pixel_sha256 }) => pixel_sha256 === image.pixel_sha256);
			expect(image).toMatchObject({ dhash: picture?.dhash, width: 512, height: 512, format: "webp" });
		}
		expect(Object.keys(tally(images, "sha256"))).toHaveLength(2720);
	});

	test.each([[[]], [["--deep"]]])(
		"passes verify %j",
		async (args) => {
			expect(await verify(lake, ...args)).toEqual({ code: 0, problems: [] });
		},
		LONG,
	);

	describePython("recomputed by other people's tools", () => {
		test(
			"no cell of images, prompts and pairs differs, as delta-rs reads it and as DuckDB does",
			async () => {
				const verdict = await recompute(source, lake);
				const rows = { images: 2720, prompts: 466, pairs: 6399 };
				expect(verdict).toMatchObject({
					different: 0,
					examples: [],
					ties: 831,
					rows,
					delta_rows: rows,
					duckdb_rows: rows,
				});
				expect(verdict.cells).toBeGreaterThan(2720 * 25);
			},
			LONG,
		);
	});
});

describeReal("the four pictures as they are", () => {
	test(
		"have the size, CRC-32, pixels and dhash that Pillow and plain Python gave",
		async () => {
			const [source, lake] = [join(temp.path, "four"), join(temp.path, "four-lake")];
			const folder = join(source, "images/train/train_1");
			mkdirSync(folder, { recursive: true });
			const rows = PICTURES.map((_, at) => row(at + 1, { prompt_id: "p", image_amount_in_total: 4, rank: at + 1 }));
			for (const at of PICTURES.keys()) copyFileSync(join(data, `${at + 1}.webp`), join(folder, fileName(at + 1)));
			writeFileSync(join(folder, "train_1.json"), JSON.stringify(rows));
			await writeMetadata(join(source, "metadata-train.parquet"), rows);
			const run = await mirror({ folder: source }, lake, ["--shards", "train_1"]);
			expect(run).toMatchObject({ code: 0, document: { findings: {} } });
			expect(await rowsOf(lake, "images")).toEqual(
				PICTURES.map(({ bytes, ...picture }) =>
					// DuckDB gives 64-bit integers as text.
					expect.objectContaining({
						...picture,
						bytes: String(bytes),
						source_bytes: String(bytes),
						width: 512,
						height: 512,
					}),
				),
			);
		},
		LONG,
	);
});
