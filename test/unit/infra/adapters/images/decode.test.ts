import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { Decoder } from "../../../../../infra/adapters/images/decode.js";
import { examineWebp as examine } from "../../../../../infra/adapters/images/formats/webp.js";
import { pixelHash } from "../../../../../infra/adapters/images/pixels.js";
import { openSharp } from "../../../../../infra/adapters/images/sharp.js";
import { testReal } from "../../../../support/real.js";
import { REAL_DATA, ROOT } from "../../../../support/root.js";
import { Random } from "../../../../tools/sample/random.js";
import { chunk, payloadOf, riff, withXmp } from "../../../../tools/sample/webp.js";

const FOLDER = join(ROOT, "test/fixtures/images");
const decoder = new Decoder();

/** Verdict and pixels as one text; `careful`: by the arbiter alone. */
async function verdictOf(file: Buffer, careful: boolean): Promise<string> {
	const verdict = examine(file);
	if (!verdict.ok) return verdict.reject.code;
	const { width, height, bytes } = verdict.structure;
	const picture = await decoder.decode(file.subarray(0, bytes), verdict.structure, careful);
	return picture === null ? "IMAGE_UNDECODABLE" : `${pixelHash(picture.rgba, width, height)} ${picture.dhash}`;
}

describe("the four real images", () => {
	// Computed with Pillow and plain Python by the data's README.
	const expected = [
		["1.webp", "3a12cfae1178bbe40f98a6c309b190e3db6ba0cbcf7578bc8817dbac4a1bf1ca 1cec0e833f9fa31f"],
		["2.webp", "64629d1c3a82abb6244a26d57dc8778cd84b88ba5e76443ac471fecc5eb381a8 222d2cdb1fcf01a2"],
		["3.webp", "4b119fcbbfbb5c4c3afed485bfbf9c04f0df8645baaa44e59195501318a3e3ed 1e23bee0050e0534"],
		["4.webp", "0ca5403293926e186cb18f636b1f22d2a25cb20009db200e560f32b5bde75df3 050f63531e062b02"],
	] as const;
	testReal.each(expected)("%s gives what an independent decoder gave", async (name, hashes) => {
		if (REAL_DATA === null) throw new Error("the folder of real data is absent");
		const file = readFileSync(join(REAL_DATA, name));
		expect(await verdictOf(file, false)).toBe(hashes);
		expect(await verdictOf(file, true)).toBe(hashes);
		expect(await verdictOf(withXmp(file, name), false)).toBe(hashes);
	});
});

describe("our own decoder and the arbiter give one verdict", () => {
	test.each(readdirSync(FOLDER).sort())("%s", async (name) => {
		const file = readFileSync(join(FOLDER, name));
		expect(await verdictOf(file, false)).toBe(await verdictOf(file, true));
	});

	test("on 800 damaged lossless files", async () => {
		const random = new Random("damage");
		const whole = await pictures(random);
		let decoded = 0;
		for (let i = 0; i < 800; i++) {
			const file = damaged(random.pick(whole), random);
			const verdict = examine(file);
			// A damaged header may claim any size: large ones are only slow.
			if (verdict.ok && verdict.structure.width * verdict.structure.height > 1_000_000) continue;
			const expected = await verdictOf(file, true);
			if (!expected.startsWith("IMAGE_")) decoded += 1;
			expect({ i, verdict: await verdictOf(file, false) }).toEqual({ i, verdict: expected });
		}
		// Damage that no decoder notices is what the CRC-32 is for; here it shows that pixels were compared at all.
		expect(decoded).toBeGreaterThan(50);
	});
});

/** Lossless pictures with and without alpha, smooth and noisy, so that every transform of the format is used. */
async function pictures(random: Random): Promise<Buffer[]> {
	const made: Buffer[] = [];
	for (const grain of [0, 20, 255]) {
		for (const opaque of [true, false]) {
			const [width, height] = [random.int(30, 70), random.int(30, 70)];
			const rgba = Buffer.alloc(width * height * 4);
			for (let at = 0; at < rgba.length; at++) {
				const [x, y] = [(at >> 2) % width, Math.floor((at >> 2) / width)];
				const isAlpha = at % 4 === 3;
				rgba[at] = isAlpha && opaque ? 255 : x * 3 + y * (at % 4) + random.int(0, grain);
			}
			const options = { lossless: true, exact: true, effort: random.int(0, 6) };
			made.push(
				await openSharp(rgba, { raw: { width, height, channels: 4 } })
					.webp(options)
					.toBuffer(),
			);
		}
	}
	return made;
}

/** Bits flipped, or the picture's chunk cut and all sizes repaired. */
function damaged(file: Buffer, random: Random): Buffer {
	if (random.int(0, 2) === 0) {
		const payload = payloadOf(file, "VP8L");
		const kept = payload.length - random.int(1, random.pick([8, payload.length - 6]));
		return riff([chunk("VP8L", payload.subarray(0, kept))]);
	}
	const copy = Buffer.from(file);
	for (let flips = random.int(1, 3); flips > 0; flips--) {
		const at = random.int(20, Math.min(random.pick([60, copy.length]), copy.length) - 1);
		copy.writeUInt8(copy.readUInt8(at) ^ (1 << random.int(0, 7)), at);
	}
	return copy;
}

test("colour profile and orientation change no pixel", async () => {
	const read = (name: string) => readFileSync(join(FOLDER, name));
	for (const name of ["colour-profile.OK.webp", "turned-by-exif.OK.webp"]) {
		const stripped = riff([chunk("VP8L", payloadOf(read(name), "VP8L"))]);
		expect(await verdictOf(read(name), false)).toBe(await verdictOf(stripped, true));
	}
});

test("a picture that does not declare its alpha has none", async () => {
	const file = readFileSync(join(FOLDER, "alpha-not-declared.OK.webp"));
	const verdict = examine(file);
	if (!verdict.ok) throw new Error(verdict.reject.detail);
	expect(await decoder.decode(file, verdict.structure, false)).toMatchObject({ opaque: true });
});
