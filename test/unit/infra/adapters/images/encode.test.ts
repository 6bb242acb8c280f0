import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createImagePool } from "../../../../../infra/adapters/images/pool/pool.js";
import { CODEC_VERSION, openSharp } from "../../../../../infra/adapters/images/sharp.js";
import type { ImagePool, ImageResult, StoredImage } from "../../../../../pipelines/ports/images.js";
import { DEFAULT_SETTINGS, type Settings } from "../../../../../schemas/settings.js";
import { ROOT, tempDir } from "../../../../support/root.js";
import { pictureWebp } from "../../../../tools/sample/picture.js";
import { encodeVp8l } from "../../../../tools/sample/vp8l.js";
import { chunk, riff } from "../../../../tools/sample/webp.js";

/**
 * What is stored is what the settings ask for: format, quality, size; nothing is enlarged, and the original's size
 * stays known.
 */

const temp = tempDir("image-encode");
const stage = join(temp.path, "stage");
const opaque = join(temp.path, "opaque.webp");
const cutOut = join(temp.path, "cut-out.webp");
const { signal } = new AbortController();
let pool: ImagePool;

beforeAll(() => {
	mkdirSync(stage);
	writeFileSync(opaque, pictureWebp({ seed: "opaque", size: 96, alpha: false }));
	writeFileSync(cutOut, pictureWebp({ seed: "cut-out", size: 96, alpha: true }));
	pool = createImagePool({ threads: 2, stage: { kind: "folder", folder: stage } });
});
afterAll(async () => {
	await pool.close();
	temp.remove();
});

function run(path: string, settings: Partial<Settings>, from = pool): Promise<ImageResult> {
	const ref = { kind: "file", path, bytes: statSync(path).size } as const;
	return from.run({ ref, check: "image", format: "webp", keep: true }, { ...DEFAULT_SETTINGS, ...settings }, signal);
}

async function stored(path: string, settings: Partial<Settings>): Promise<StoredImage & { content: Buffer }> {
	const { image, reject } = await run(path, settings);
	if (image === null) throw new Error(`rejected: ${reject?.detail}`);
	return { ...image, content: readFileSync(join(stage, image.object_key.split("/").at(-1) as string)) };
}

const pixelsOf = (content: Buffer) => openSharp(content).ensureAlpha().raw().toBuffer();

describe("what is stored is what was asked for", () => {
	const formats = [
		["webp", "webp", "webp"],
		["jpeg", "jpeg", "jpg"],
		["png", "png", "png"],
		["avif", "heif", "avif"],
	] as const;
	test.each(formats)("--image %s", async (image, format, ending) => {
		const found = await stored(opaque, { image, quality: image === "png" ? null : 80 });
		expect(found).toMatchObject({
			format: image,
			width: 96,
			height: 96,
			source_width: 96,
			bytes: found.content.length,
		});
		expect(found.sha256).toBe(createHash("sha256").update(found.content).digest("hex"));
		expect(found.object_key).toBe(`objects/sha256/${found.sha256.slice(0, 2)}/${found.sha256}.${ending}`);
		expect((await openSharp(found.content).metadata()).format).toBe(format);
		const original = await stored(opaque, {});
		expect(found).toMatchObject({ pixel_sha256: original.pixel_sha256, dhash: original.dhash });
	});

	test("a picture without alpha is stored without", async () => {
		for (const image of ["png", "webp", "avif"] as const) {
			const { content } = await stored(opaque, { image });
			expect((await openSharp(content).metadata()).hasAlpha).toBe(false);
		}
	});

	test("JPEG shows white where the picture was transparent", async () => {
		const pixels = Buffer.alloc(16 * 16 * 4);
		const path = join(temp.path, "nothing.webp");
		writeFileSync(
			path,
			await openSharp(pixels, { raw: { width: 16, height: 16, channels: 4 } })
				.webp({ lossless: true })
				.toBuffer(),
		);
		const { content } = await stored(path, { image: "jpeg" });
		expect([...(await openSharp(content).raw().toBuffer())].every((value) => value === 255)).toBe(true);
	});

	test("quality changes the bytes", async () => {
		const low = await stored(opaque, { image: "jpeg", quality: 20 });
		const high = await stored(opaque, { image: "jpeg", quality: 95 });
		expect(low.bytes).toBeLessThan(high.bytes);
	});
});

describe("--max-side", () => {
	test("fits the longest side, and keeps the original's size apart", async () => {
		const found = await stored(opaque, { image: "png", max_side: 40 });
		expect(found).toMatchObject({ width: 40, height: 40, source_width: 96, source_height: 96 });
	});

	test("enlarges nothing", async () => {
		expect(await stored(opaque, { image: "png", max_side: 1000 })).toMatchObject({ width: 96, height: 96 });
	});
});

describe("webp-lossless", () => {
	test("is kept when smaller, with the very same pixels, below transparent ones too", async () => {
		const original = readFileSync(cutOut);
		const { content } = await stored(cutOut, { image: "webp-lossless" });
		expect(content.length).toBeLessThan(original.length);
		expect(await pixelsOf(content)).toEqual(await pixelsOf(original));
	});

	test("leaves the original bytes where it would not be smaller", async () => {
		const small = (await stored(opaque, { image: "webp-lossless" })).content;
		const path = join(temp.path, "small.webp");
		writeFileSync(path, small);
		expect((await stored(path, { image: "webp-lossless" })).content).toEqual(small);
	});

	test("is always written with --max-side", async () => {
		const { content } = await stored(opaque, { image: "webp-lossless", max_side: 96 });
		expect(content).not.toEqual(readFileSync(opaque));
	});
});

test("a WebP one pixel longer than encoders take is still stored", async () => {
	const wide = join(temp.path, "wide.webp");
	const rgba = Buffer.alloc(16_384 * 4, Buffer.from([0x20, 0x40, 0x60, 0xff]));
	writeFileSync(
		wide,
		riff([
			chunk(
				"VP8L",
				encodeVp8l(rgba, 16_384, 1, () => 1),
			),
		]),
	);
	expect(await stored(wide, { image: "webp-lossless" })).toMatchObject({ width: 16_384, format: "webp" });
	expect(await stored(wide, { image: "webp", quality: 80 })).toMatchObject({ width: 16_383, source_width: 16_384 });
	expect(await stored(wide, { image: "jpeg", quality: 80 })).toMatchObject({ width: 16_384 });
});

test("with --verify structure the picture is re-encoded, and its pixels are not vouched for", async () => {
	const found = await stored(opaque, { image: "png", verify: "structure" });
	expect(found).toMatchObject({ format: "png", pixel_sha256: null, dhash: null });
});

test("one thread and two, again and again: the same bytes", async () => {
	const single = createImagePool({ threads: 1, stage: null });
	try {
		for (const image of ["webp-lossless", "webp", "jpeg", "png", "avif"] as const) {
			const settings = { image, quality: 70, max_side: 64 };
			const runs = [opaque, cutOut, opaque, cutOut].map((path) => run(path, settings));
			const alone = [opaque, cutOut, opaque, cutOut].map((path) => run(path, settings, single));
			const keys = (await Promise.all(runs)).map((result) => result.image?.sha256);
			expect((await Promise.all(alone)).map((result) => result.image?.sha256)).toEqual(keys);
			expect(keys.slice(2)).toEqual(keys.slice(0, 2));
		}
	} finally {
		await single.close();
	}
});

test("a lossless file with a profile is re-encoded without any metadata", async () => {
	const { content } = await stored(join(ROOT, "test/fixtures/images/colour-profile.OK.webp"), { image: "png" });
	const { icc, exif, xmp } = await openSharp(content).metadata();
	expect({ icc, exif, xmp }).toEqual({});
});

test("nothing but whole objects is left in the stage", () => {
	expect(readdirSync(stage).every((name) => /^[0-9a-f]{64}\.(webp|jpg|png|avif)$/.test(name))).toBe(true);
});

test("the codec's version names what the bytes depend on", () => {
	expect(CODEC_VERSION).toMatch(/^sharp \d.*libvips \d.*libwebp \d.*mozjpeg .*libpng \d.*libaom \d/);
});
