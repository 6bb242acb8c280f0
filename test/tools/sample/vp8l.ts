import { BitWriter, type PrefixCode, prefixCode } from "./prefix-code.js";

/**
 * A small encoder of lossless WebP's bitstream (RFC 9649, section 3): green subtracted, a predictor for each
 * tile, one prefix code a channel, no back references. sharp at its lowest effort is a third as fast.
 */

/** Tiles of 32 × 32 pixels, each with a predictor of its own. */
const TILE_BITS = 5;
/** Order in which the lengths of the code-length code are written. */
const LENGTH_ORDER = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const GREEN_SYMBOLS = 256 + 24;
const DISTANCE_SYMBOLS = 40;
/** Predictors in use: left, top, average of three, average of left and top, left + top − corner. */
const MODES = [1, 2, 5, 7, 12] as const;
type Mode = (typeof MODES)[number];

/**
 * The payload of a `VP8L` chunk that decodes to exactly these pixels.
 * @param rgba rows of 4 bytes a pixel; read only
 * @param pickMode chooses the predictor of a tile, by the tile's place; any choice gives the same pixels
 */
export function encodeVp8l(
	rgba: Uint8Array,
	width: number,
	height: number,
	pickMode: (tile: number) => number,
): Uint8Array {
	const out = new BitWriter(rgba.length * 2 + 8192);
	let alphaUsed = 0;
	for (let at = 3; at < rgba.length; at += 4) if (rgba[at] !== 255) alphaUsed = 1;
	out.put(0x2f, 8);
	out.put(width - 1, 14);
	out.put(height - 1, 14);
	out.put(alphaUsed, 1);
	out.put(0, 3);
	// Subtract green, then predictor: the decoder undoes them from the last to the first.
	out.put(1, 1);
	out.put(2, 2);
	const across = (width + (1 << TILE_BITS) - 1) >> TILE_BITS;
	const down = (height + (1 << TILE_BITS) - 1) >> TILE_BITS;
	const modes = Array.from({ length: across * down }, (_, tile) => MODES[pickMode(tile) % MODES.length] ?? 1);
	out.put(1, 1);
	out.put(0, 2);
	out.put(TILE_BITS - 2, 3);
	putModes(out, modes);
	out.put(0, 1);
	// No colour cache; one set of prefix codes for the whole picture.
	out.put(0, 1);
	out.put(0, 1);
	const residuals = predict(subtractGreen(rgba), width, height, modes, across);
	putPixels(out, residuals);
	return out.end();
}

function subtractGreen(rgba: Uint8Array): Uint8Array {
	const pixels = new Uint8Array(rgba);
	for (let at = 0; at < pixels.length; at += 4) {
		const green = pixels[at + 1] as number;
		pixels[at] = (pixels[at] as number) - green;
		pixels[at + 2] = (pixels[at + 2] as number) - green;
	}
	return pixels;
}

/** The predictors as a picture of their own, each in the green channel. */
function putModes(out: BitWriter, modes: Mode[]): void {
	const pixels = new Uint8Array(modes.length * 4);
	modes.forEach((mode, tile) => {
		pixels[tile * 4 + 1] = mode;
	});
	out.put(0, 1);
	putPixels(out, pixels);
}

/** The five prefix codes, then the pixels as literals. */
function putPixels(out: BitWriter, pixels: Uint8Array): void {
	const green = new Uint32Array(GREEN_SYMBOLS);
	const red = new Uint32Array(256);
	const blue = new Uint32Array(256);
	const alpha = new Uint32Array(256);
	for (let at = 0; at < pixels.length; at += 4) {
		(red[pixels[at] as number] as number)++;
		(green[pixels[at + 1] as number] as number)++;
		(blue[pixels[at + 2] as number] as number)++;
		(alpha[pixels[at + 3] as number] as number)++;
	}
	const [g, r, b, a] = [green, red, blue, alpha].map((counts) => prefixCode(counts, 15));
	if (!g || !r || !b || !a) throw new RangeError("four channels have four codes");
	for (const code of [g, r, b, a]) putCode(out, code);
	putCode(out, prefixCode(new Uint32Array(DISTANCE_SYMBOLS), 15));
	out.putPixels(pixels, g.codes, r.codes, b.codes, a.codes);
}

function putCode(out: BitWriter, code: PrefixCode): void {
	if (code.only !== null) {
		// A simple code of one symbol, given in 8 bits.
		out.put(0b101, 3);
		out.put(code.only, 8);
		return;
	}
	const counts = new Uint32Array(LENGTH_ORDER.length);
	for (const length of code.lengths) (counts[length] as number)++;
	const lengthCode = prefixCode(counts, 7);
	out.put(0, 1);
	out.put(LENGTH_ORDER.length - 4, 4);
	for (const length of LENGTH_ORDER) out.put(lengthCode.lengths[length] ?? 0, 3);
	out.put(0, 1);
	for (const length of code.lengths) {
		const packed = lengthCode.codes[length] ?? 0;
		out.put(packed & 0xffff, packed >>> 16);
	}
}

/** What is left of each channel after its prediction, modulo 256. */
function predict(pixels: Uint8Array, width: number, height: number, modes: Mode[], across: number): Uint8Array {
	const stride = width * 4;
	const left = new Uint8Array(pixels.length);
	left.set(pixels.subarray(0, 4));
	left[3] = (pixels[3] as number) - 255;
	for (let at = 4; at < stride; at++) left[at] = (pixels[at] as number) - (pixels[at - 4] as number);
	for (let y = 1; y < height; y++) {
		const row = y * stride;
		for (let at = row; at < row + 4; at++) left[at] = (pixels[at] as number) - (pixels[at - stride] as number);
		for (let column = 0; column < across; column++) {
			const from = Math.max(column << TILE_BITS, 1);
			const to = Math.min((column + 1) << TILE_BITS, width);
			const mode = modes[(y >> TILE_BITS) * across + column] ?? 1;
			predictRun(pixels, left, row + from * 4, row + to * 4, stride, mode);
		}
	}
	return left;
}

/** One row of one tile. The pixel right above the last one is in memory the first of its own row, as the format wants. */
function predictRun(p: Uint8Array, out: Uint8Array, from: number, to: number, stride: number, mode: Mode): void {
	switch (mode) {
		case 1:
			for (let at = from; at < to; at++) out[at] = (p[at] as number) - (p[at - 4] as number);
			break;
		case 2:
			for (let at = from; at < to; at++) out[at] = (p[at] as number) - (p[at - stride] as number);
			break;
		case 5:
			for (let at = from; at < to; at++) {
				const sides = ((p[at - 4] as number) + (p[at - stride + 4] as number)) >> 1;
				out[at] = (p[at] as number) - ((sides + (p[at - stride] as number)) >> 1);
			}
			break;
		case 7:
			for (let at = from; at < to; at++) {
				out[at] = (p[at] as number) - (((p[at - 4] as number) + (p[at - stride] as number)) >> 1);
			}
			break;
		case 12:
			for (let at = from; at < to; at++) {
				const guess = (p[at - 4] as number) + (p[at - stride] as number) - (p[at - stride - 4] as number);
				out[at] = (p[at] as number) - Math.max(0, Math.min(255, guess));
			}
			break;
	}
}
