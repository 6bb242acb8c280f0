/** What is computed from decoded pixels: `pixel_sha256` and `dhash`, as docs/lake-format.md defines them. */

import { createHash } from "node:crypto";
import { LUMA_MODULE } from "./luma-module.js";

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

/** What one pass over the pixels gives. */
export interface Scan {
	/** Difference hash of nine by eight cells' mean luma, alpha ignored, as 16 hex digits. */
	dhash: string;
	/** Whether every pixel's alpha is 255. */
	opaque: boolean;
}

/** First pixel of a cell along one side, and the end of it: cells overlap when there are fewer pixels than cells. */
interface Cell {
	from: number;
	to: number;
}

function cells(size: number, count: number): Cell[] {
	return Array.from({ length: count }, (_, i) => {
		const from = Math.floor((i * size) / count);
		return { from, to: Math.max(from + 1, Math.floor(((i + 1) * size) / count)) };
	});
}

/** Where things lie in the module's memory; luma.wat says the same. */
const CELLS_AT = 0;
const SUMS_AT = 80;
const ALL_AT = 128;
const ALL_BYTES = 16;
const FRAME_AT = 1024;
/** What the module may read behind the last pixel. */
const SLACK_BYTES = 12;
const PAGE_BYTES = 65536;

/** A larger picture lies elsewhere, since the module's memory never shrinks, and is brought in by bands of rows. */
const MOST_BYTES = 16 * 1024 * 1024;
const BAND_BYTES = 1024 * 1024;

interface LumaModule {
	memory: WebAssembly.Memory;
	scan(at: number, rows: number, width: number): void;
}

/**
 * Room for one picture at a time, and what is computed from its pixels, by luma.wat: 0.17 ms for 512×512, against
 * 0.8 ms in JavaScript. For one thread.
 */
export class PixelScanner {
	readonly #module: LumaModule;

	constructor() {
		const module = new WebAssembly.Module(Buffer.from(LUMA_MODULE, "base64"));
		// These are luma.wat's exports.
		this.#module = new WebAssembly.Instance(module).exports as unknown as LumaModule;
	}

	/** Memory for a picture of so many bytes, until it is asked for again. */
	frame(bytes: number): Buffer {
		return bytes > MOST_BYTES ? Buffer.allocUnsafeSlow(bytes) : this.#room(bytes);
	}

	/** Reads every pixel once. Any size from 1×1 on, up to 2^31 / 255 pixels in a cell. What `frame` gave may be overwritten, unless it is `rgba`. */
	scan(rgba: Buffer, width: number, height: number): Scan {
		const across = cells(width, CELLS_ACROSS);
		this.#view().set(
			across.flatMap(({ from, to }) => [from, to]),
			CELLS_AT,
		);
		this.#view().fill(-1, ALL_AT / 4, (ALL_AT + ALL_BYTES) / 4);
		let dhash = "";
		for (const { from: top, to: bottom } of cells(height, CELLS_DOWN)) {
			const sums = this.#sums(rgba.subarray(top * width * 4, bottom * width * 4), width);
			const means = across.map(({ from, to }, i) => Math.floor((sums[i] as number) / ((to - from) * (bottom - top))));
			let bits = 0;
			for (let i = 0; i + 1 < CELLS_ACROSS; i++)
				bits = (bits << 1) | ((means[i] as number) > (means[i + 1] as number) ? 1 : 0);
			dhash += bits.toString(16).padStart(2, "0");
		}
		const all = this.#view().subarray(ALL_AT / 4, (ALL_AT + ALL_BYTES) / 4);
		return { dhash, opaque: all.every((pixel) => pixel >>> 24 === 255) };
	}

	/** Sum of the luma of each cell across, over these rows. */
	#sums(rows: Buffer, width: number): Int32Array {
		const { memory, scan } = this.#module;
		this.#view().fill(0, SUMS_AT / 4, SUMS_AT / 4 + CELLS_ACROSS);
		if (rows.buffer === memory.buffer) {
			scan(rows.byteOffset, rows.length / (width * 4), width);
		} else {
			const bandBytes = Math.max(1, Math.floor(BAND_BYTES / (width * 4))) * width * 4;
			for (let at = 0; at < rows.length; at += bandBytes) {
				const band = rows.subarray(at, at + bandBytes);
				this.#room(bandBytes).set(band);
				scan(FRAME_AT, band.length / (width * 4), width);
			}
		}
		return this.#view().slice(SUMS_AT / 4, SUMS_AT / 4 + CELLS_ACROSS);
	}

	#room(bytes: number): Buffer {
		const { memory } = this.#module;
		const missing = FRAME_AT + bytes + SLACK_BYTES - memory.buffer.byteLength;
		if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
		return Buffer.from(memory.buffer, FRAME_AT, bytes);
	}

	/** Everything in front of the frame. Made anew, since growing takes the old memory away. */
	#view(): Int32Array {
		return new Int32Array(this.#module.memory.buffer, 0, FRAME_AT / 4);
	}
}
