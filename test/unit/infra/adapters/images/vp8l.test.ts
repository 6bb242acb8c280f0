import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { PictureMemory } from "../../../../../infra/adapters/images/pixels.js";
import { openSharp } from "../../../../../infra/adapters/images/sharp.js";
import { randomVp8l } from "../../../../support/random-vp8l.js";
import { testReal } from "../../../../support/real.js";
import { REAL_DATA } from "../../../../support/root.js";
import { BitWriter } from "../../../../tools/sample/prefix-code.js";
import { Random } from "../../../../tools/sample/random.js";
import { chunk, payloadOf, riff } from "../../../../tools/sample/webp.js";

/** Our own decoder reads what libwebp reads, to the same pixels; and leaves to it whatever is not plain. */

const memory = new PictureMemory();
const WIDTHS = [1, 2, 3, 5, 16, 33, 64, 100, 300];
const HEIGHTS = [1, 2, 7, 16, 40, 120];

/** By our own decoder, alone. */
function decode(vp8l: Buffer, width: number, height: number): Buffer | null {
	return memory.decode([{ vp8l, width, height }])[0] ?? null;
}

/** By libwebp; null where it rejects the stream. */
async function libwebp(vp8l: Buffer): Promise<Buffer | null> {
	const file = openSharp(riff([chunk("VP8L", vp8l)]), { ignoreIcc: true, failOn: "warning" });
	return file
		.ensureAlpha()
		.raw()
		.toBuffer()
		.catch(() => null);
}

describe("streams that use everything the format has", () => {
	test("200 of them are decoded, to libwebp's pixels", async () => {
		const random = new Random("streams");
		for (let i = 0; i < 200; i++) {
			const { vp8l, width, height } = randomVp8l(random, random.pick(WIDTHS), random.pick(HEIGHTS), false);
			const pixels = decode(vp8l, width, height);
			expect({ i, decoded: pixels !== null }).toEqual({ i, decoded: true });
			expect({ i, same: (await libwebp(vp8l))?.equals(pixels as Buffer) }).toEqual({ i, same: true });
		}
	}, 60_000);

	test("600 damaged ones: what is decoded all the same, libwebp decodes to the same pixels", async () => {
		const random = new Random("damaged streams");
		let decoded = 0;
		for (let i = 0; i < 600; i++) {
			const { vp8l, width, height } = randomVp8l(random, random.pick(WIDTHS), random.pick([1, 7, 16]), false);
			const damaged = damage(vp8l, random);
			const pixels = decode(damaged, width, height);
			if (pixels === null) continue;
			decoded += 1;
			expect({ i, same: (await libwebp(damaged))?.equals(pixels) }).toEqual({ i, same: true });
		}
		expect(decoded).toBeGreaterThan(30);
		expect(decoded).toBeLessThan(570);
	}, 60_000);

	test("600 pairs, of which a third of the streams are damaged: as each of them alone", () => {
		const random = new Random("pairs");
		const counts = { both: 0, one: 0, none: 0 };
		const stream = () => {
			const made = randomVp8l(random, random.pick(WIDTHS), random.pick(HEIGHTS), false);
			return random.int(0, 2) === 0 ? { ...made, vp8l: damage(made.vp8l, random) } : made;
		};
		for (let i = 0; i < 600; i++) {
			const pair = [stream(), stream()];
			// A view of the module's memory is good until the next call.
			const alone = pair.map(({ vp8l, width, height }) => {
				const pixels = decode(vp8l, width, height);
				return pixels === null ? null : sha256(pixels);
			});
			const together = memory.decode(pair).map((pixels) => (pixels === null ? null : sha256(pixels)));
			expect({ i, together }).toEqual({ i, together: alone });
			const good = alone.filter((pixels) => pixels !== null).length;
			counts[good === 2 ? "both" : good === 1 ? "one" : "none"] += 1;
		}
		expect(Math.min(counts.both, counts.one, counts.none)).toBeGreaterThan(20);
	}, 60_000);
});

function sha256(bytes: Buffer): string {
	return createHash("sha256").update(bytes).digest("hex");
}

/** Bits flipped behind the header, or the end cut off. */
function damage(vp8l: Buffer, random: Random): Buffer {
	if (random.int(0, 3) === 0) return vp8l.subarray(0, random.int(5, vp8l.length - 1));
	const copy = Buffer.from(vp8l);
	for (let flips = random.int(1, 3); flips > 0; flips--) {
		const at = random.int(5, Math.min(copy.length, random.pick([20, 200, copy.length])) - 1);
		copy.writeUInt8(copy.readUInt8(at) ^ (1 << random.int(0, 7)), at);
	}
	return copy;
}

test.each([1, 2, 3, 4, 5, 6])(
	"a picture of two million pixels, with copies over a million: libwebp's pixels (%i)",
	async (seed) => {
		const { vp8l } = randomVp8l(new Random(`large ${seed}`), 1600, 1400, false);
		const pixels = new PictureMemory().decode([{ vp8l, width: 1600, height: 1400 }])[0];
		expect((await libwebp(vp8l))?.equals(pixels as Buffer)).toBe(true);
	},
	60_000,
);

test("a stream cut anywhere is never decoded", () => {
	const { vp8l, width, height } = randomVp8l(new Random("cut"), 33, 40, false);
	expect(decode(vp8l, width, height)).not.toBeNull();
	for (let length = 0; length < vp8l.length; length++) {
		expect({ length, pixels: decode(vp8l.subarray(0, length), width, height) }).toEqual({
			length,
			pixels: null,
		});
	}
});

test("a picture decoded after a larger, a damaged and a smaller one is the same", () => {
	const random = new Random("again");
	const first = randomVp8l(random, 64, 40, false);
	const expected = Buffer.from(decode(first.vp8l, 64, 40) as Buffer);
	for (const [width, height] of [
		[300, 120],
		[3, 2],
		[64, 40],
	] as const) {
		const other = randomVp8l(random, width, height, false);
		decode(other.vp8l, width, height);
		decode(damage(other.vp8l, random), width, height);
		expect(decode(first.vp8l, 64, 40)?.equals(expected)).toBe(true);
	}
});

testReal.each(["1.webp", "2.webp", "3.webp", "4.webp"])(
	"the real %s is decoded by it, alone and with another",
	async (name) => {
		const real = (file: string) => payloadOf(readFileSync(join(REAL_DATA as string, file)), "VP8L");
		const vp8l = real(name);
		const expected = (await libwebp(vp8l)) as Buffer;
		expect(decode(vp8l, 512, 512)?.equals(expected)).toBe(true);
		const pair = [vp8l, real("3.webp")].map((one) => ({ vp8l: one, width: 512, height: 512 }));
		expect(memory.decode(pair)[0]?.equals(expected)).toBe(true);
	},
);

test.each([1, 2, 3, 4, 5, 16, 17, 256])("a picture of %i colours, as libwebp writes it", async (colours) => {
	const [width, height] = [67, 41];
	const pixels = Buffer.alloc(width * height * 4);
	for (let i = 0; i < width * height; i++) pixels.writeUInt32LE((((i * i) % colours) * 0x01a3c5f1) >>> 0, i * 4);
	const webp = await openSharp(pixels, { raw: { width, height, channels: 4 } })
		.webp({ lossless: true, exact: true })
		.toBuffer();
	const vp8l = payloadOf(webp, "VP8L");
	expect(decode(vp8l, width, height)?.equals(pixels)).toBe(true);
	expect((await libwebp(vp8l))?.equals(pixels)).toBe(true);
});

describe("left to libwebp", () => {
	/** A header, then these bits, a value and its width each, then zeros. */
	const stream = (bits: [number, number][]) => {
		const out = new BitWriter(4096);
		out.put(0x2f, 8);
		for (const [value, count] of [[3, 14], [3, 14], [1, 1], [0, 3], ...bits] as [number, number][])
			out.put(value, count);
		for (let i = 0; i < 200; i++) out.put(0, 16);
		return Buffer.from(out.end());
	};
	/** Five codes of one symbol each: green `green`, everything else 0. */
	const codes = (green: number): [number, number][] => [
		[1, 1],
		[0, 1],
		[1, 1],
		[green, 8],
		...Array.from({ length: 4 }, () => [1, 4] as [number, number]),
	];
	/** A predictor transform of one tile that has this predictor. */
	const predictor = (mode: number): [number, number][] => [[1, 1], [0, 2], [0, 3], [0, 1], ...codes(mode)];
	const picture: [number, number][] = [[0, 1], [0, 1], [0, 1], ...codes(7)];

	test.each([
		["nothing unusual", [...predictor(13), ...picture], true],
		["a predictor that there is not", [...predictor(14), ...picture], false],
		["one transform twice", [...predictor(1), ...predictor(1), ...picture], false],
		["green subtracted after prediction", [...predictor(1), [1, 1], [2, 2], ...picture], false],
		["colours after prediction", [...predictor(1), [1, 1], [3, 2], [0, 8], [0, 1], ...codes(7), ...picture], false],
		["a colour cache of no bits", [[0, 1], [1, 1], [0, 4], [0, 1], ...codes(7)], false],
		["a colour cache of 12 bits", [[0, 1], [1, 1], [12, 4], [0, 1], ...codes(7)], false],
	] as [string, [number, number][], boolean][])("%s", (_, bits, decoded) => {
		expect(decode(stream(bits), 4, 4) !== null).toBe(decoded);
	});
});
