/**
 * Works on pixels in the memory of a WebAssembly module (vp8l/): decodes lossless WebP, and computes `pixel_sha256` and
 * `dhash` as docs/lake-format.md defines them.
 */

import { createHash } from "node:crypto";
import { PICTURE_MODULE } from "./vp8l/module.generated.js";

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

/** The result of one pass over the pixels. */
export interface Scan {
	/** Difference hash of the mean luma of nine by eight cells, alpha ignored, as 16 hex digits. */
	dhash: string;
	/** Whether every pixel's alpha is 255. */
	opaque: boolean;
}

/** A cell's pixels along one side, `to` exclusive. Cells overlap if there are fewer pixels than cells. */
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

/** The exports of decode.ts and luma.ts. Addresses are byte offsets in the module's memory. */
interface PictureModule {
	memory: WebAssembly.Memory;
	/** Address after the module's own memory, where the frame begins. */
	heap: { value: number };
	cells: { value: number };
	sums: { value: number };
	all: { value: number };
	frameBytes(width: number, height: number): number;
	openRoom(from: number, to: number): void;
	/** Address of the picture's state, or 0. */
	openPicture(input: number, inputEnd: number, width: number, height: number, frame: number): number;
	decodeTogether(a: number, b: number): void;
	finish(picture: number): number;
	scan(at: number, rows: number, width: number): void;
}

/** Bytes that the module may read past its input, and past the pixels that it scans. */
const SLACK_BYTES = 16;
/** Working memory of the decoder: images of the picture's tiles, by the pixel, and the tables of 340 code groups. */
const ARENA_BYTES_PER_PIXEL = 1;
const ARENA_BYTES = 4 * 1024 * 1024;
const PAGE_BYTES = 65536;
const ALIGNMENT = 16;
/** Pixels outside the module's memory are copied in by bands of rows of this size. */
const BAND_BYTES = 1024 * 1024;
const ALL_BYTES = 16;

/** A lossless picture: the payload of its `VP8L` chunk, and its size. */
export interface CodedPicture {
	vp8l: Buffer;
	width: number;
	height: number;
}

/** Decodes and scans one or two pictures at a time, in memory that grows to the largest and never shrinks. For one thread. */
export class PictureMemory {
	readonly #module: PictureModule;
	readonly #heap: number;

	constructor() {
		const module = new WebAssembly.Module(Buffer.from(PICTURE_MODULE, "base64"));
		// These are decode.ts's exports.
		this.#module = new WebAssembly.Instance(module).exports as unknown as PictureModule;
		this.#heap = this.#module.heap.value;
	}

	/**
	 * Rows of RGBA8 of one or two pictures, valid until the next call. Null for a picture that is damaged or unusual,
	 * which another decoder must judge. Two at once take less time than one after the other.
	 */
	decode(pictures: readonly CodedPicture[]): (Buffer | null)[] {
		let end = this.#heap;
		const take = (bytes: number) => {
			const at = end;
			end = Math.ceil((at + bytes) / ALIGNMENT) * ALIGNMENT;
			return at;
		};
		const placed = pictures.map(({ vp8l, width, height }) => {
			const frame = take(this.#module.frameBytes(width, height));
			return { vp8l, width, height, frame, input: take(vp8l.length + SLACK_BYTES) };
		});
		const arena = end;
		for (const { width, height } of pictures) take(width * height * ARENA_BYTES_PER_PIXEL + ARENA_BYTES);
		const memory = this.#memory(end);
		for (const { vp8l, input } of placed) vp8l.copy(memory, input);
		try {
			this.#module.openRoom(arena, end);
			const opened = placed.map(({ vp8l, width, height, frame, input }) =>
				this.#module.openPicture(input, input + vp8l.length, width, height, frame),
			);
			const [a = 0, b = 0] = opened;
			if (a !== 0 && b !== 0) this.#module.decodeTogether(a, b);
			return placed.map(({ width, height, frame }, i) => {
				const picture = opened[i] as number;
				const done = picture !== 0 && this.#module.finish(picture) !== 0;
				return done ? memory.subarray(frame, frame + width * height * 4) : null;
			});
		} catch (error) {
			// The module trapped. No input is known that makes it.
			if (error instanceof WebAssembly.RuntimeError) return pictures.map(() => null);
			throw error;
		}
	}

	/** Reads every pixel once; cells may have up to 2^31 / 255 pixels. Overwrites the result of `decode`, unless that is `rgba`. */
	scan(rgba: Buffer, width: number, height: number): Scan {
		const across = cells(width, CELLS_ACROSS);
		const bounds = across.flatMap(({ from, to }) => [from, to]);
		this.#words(this.#module.cells, bounds.length).set(bounds);
		this.#words(this.#module.all, ALL_BYTES / 4).fill(-1);
		let dhash = "";
		for (const { from: top, to: bottom } of cells(height, CELLS_DOWN)) {
			const sums = this.#sums(rgba.subarray(top * width * 4, bottom * width * 4), width);
			const means = across.map(({ from, to }, i) => Math.floor((sums[i] as number) / ((to - from) * (bottom - top))));
			let bits = 0;
			for (let i = 0; i + 1 < CELLS_ACROSS; i++)
				bits = (bits << 1) | ((means[i] as number) > (means[i + 1] as number) ? 1 : 0);
			dhash += bits.toString(16).padStart(2, "0");
		}
		const all = this.#words(this.#module.all, ALL_BYTES / 4);
		return { dhash, opaque: all.every((pixel) => pixel >>> 24 === 255) };
	}

	/** Luma sums of the cells in these rows. */
	#sums(rows: Buffer, width: number): Int32Array {
		const { memory, sums, scan } = this.#module;
		this.#words(sums, CELLS_ACROSS).fill(0);
		if (rows.buffer === memory.buffer) {
			scan(rows.byteOffset, rows.length / (width * 4), width);
		} else {
			const bandBytes = Math.max(1, Math.floor(BAND_BYTES / (width * 4))) * width * 4;
			for (let at = 0; at < rows.length; at += bandBytes) {
				const band = rows.subarray(at, at + bandBytes);
				band.copy(this.#memory(this.#heap + bandBytes + SLACK_BYTES), this.#heap);
				scan(this.#heap, band.length / (width * 4), width);
			}
		}
		return this.#words(sums, CELLS_ACROSS).slice();
	}

	/** The whole memory, grown to at least `bytes`. Growing detaches earlier views. */
	#memory(bytes: number): Buffer {
		const { memory } = this.#module;
		const missing = bytes - memory.buffer.byteLength;
		if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
		return Buffer.from(memory.buffer);
	}

	#words(at: { value: number }, count: number): Int32Array {
		return new Int32Array(this.#module.memory.buffer, at.value, count);
	}
}
