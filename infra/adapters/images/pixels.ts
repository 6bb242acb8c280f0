/** What is computed from decoded pixels: `pixel_sha256` and `dhash`, as docs/lake-format.md defines them. */

import { createHash } from "node:crypto";

const CELLS_ACROSS = 9;
const CELLS_DOWN = 8;

/**
 * SHA-256 of width and height as little-endian uint32, then the rows of RGBA8, as 64 hex digits.
 * `rgba` holds exactly `width · height · 4` bytes.
 */
export function pixelHash(rgba: Buffer, width: number, height: number): string {
	const size = Buffer.allocUnsafe(8);
	size.writeUInt32LE(width, 0);
	size.writeUInt32LE(height, 4);
	return createHash("sha256").update(size).update(rgba).digest("hex");
}

/** First pixel of every cell along one side, then the end of every cell: cells overlap when there are fewer pixels than cells. */
function cells(size: number, count: number): { from: Int32Array; to: Int32Array } {
	const from = new Int32Array(count);
	const to = new Int32Array(count);
	for (let i = 0; i < count; i++) {
		const start = Math.floor((i * size) / count);
		from[i] = start;
		to[i] = Math.max(start + 1, Math.floor(((i + 1) * size) / count));
	}
	return { from, to };
}

/**
 * Sum of the luma of pixels `from` … `to`; their alpha goes into `alpha[0]` by AND. Bytes are taken out of one 32-bit
 * load, and the division by 1000 is a multiplication: `floor(v / 1000) = floor(floor(v / 8) · 33555 / 2^22)` for every
 * v up to 255,500, with nothing above 2^31 on the way. A function of its own, because V8 optimizes it as one.
 */
function sumOfLuma(pixels: Uint32Array, from: number, to: number, alpha: Int32Array): number {
	let sum = 0;
	let all = -1;
	for (let i = from; i < to; i++) {
		const pixel = pixels[i] as number;
		all &= pixel;
		const weighted =
			Math.imul(pixel & 255, 299) + Math.imul((pixel >>> 8) & 255, 587) + Math.imul((pixel >>> 16) & 255, 114) + 500;
		sum = (sum + (Math.imul(weighted >>> 3, 33555) >>> 22)) | 0;
	}
	alpha[0] = (alpha[0] as number) & all;
	return sum;
}

/** A view of the RGBA bytes as little-endian words: red is the lowest byte. */
function words(rgba: Buffer): Uint32Array {
	const bytes = rgba.byteOffset % 4 === 0 ? rgba : new Uint8Array(rgba);
	return new Uint32Array(bytes.buffer, bytes.byteOffset, rgba.length / 4);
}

/** What one pass over the pixels gives. */
export interface Scan {
	/** Difference hash of nine by eight cells' mean luma, alpha ignored, as 16 hex digits. */
	dhash: string;
	/** Whether every pixel's alpha is 255. */
	opaque: boolean;
}

/** Reads every pixel once. Any size from 1×1 on, up to 2^31 / 255 pixels in a cell. */
export function scanPixels(rgba: Buffer, width: number, height: number): Scan {
	const pixels = words(rgba);
	const across = cells(width, CELLS_ACROSS);
	const down = cells(height, CELLS_DOWN);
	const sums = new Int32Array(CELLS_ACROSS);
	const alpha = new Int32Array([-1]);
	let dhash = "";
	for (let row = 0; row < CELLS_DOWN; row++) {
		const top = down.from[row] as number;
		const bottom = down.to[row] as number;
		sums.fill(0);
		for (let y = top; y < bottom; y++) {
			const start = y * width;
			for (let i = 0; i < CELLS_ACROSS; i++) {
				const sum = sumOfLuma(pixels, start + (across.from[i] as number), start + (across.to[i] as number), alpha);
				sums[i] = (sums[i] as number) + sum;
			}
		}
		let bits = 0;
		for (let i = 0; i + 1 < CELLS_ACROSS; i++) {
			bits = (bits << 1) | (mean(sums, across, i, bottom - top) > mean(sums, across, i + 1, bottom - top) ? 1 : 0);
		}
		dhash += bits.toString(16).padStart(2, "0");
	}
	return { dhash, opaque: (alpha[0] as number) >>> 24 === 255 };
}

function mean(sums: Int32Array, across: { from: Int32Array; to: Int32Array }, i: number, rows: number): number {
	const columns = (across.to[i] as number) - (across.from[i] as number);
	return Math.floor((sums[i] as number) / (columns * rows));
}
