/**
 * Decoding to RGBA8, after the structure was found good. The decoder in vp8l/ reads plain lossless files; whatever it
 * does not read to its end, and every other file, is decided by the arbiter. Figures and reasons:
 * docs/decisions/0011-own-decoder.md.
 */

import type { StoredFormat } from "../../../schemas/stored-format.js";
import { MAX_PIXELS, type Structure } from "./formats/structure.js";
import { type CodedPicture, PictureMemory, type Scan } from "./pixels.js";

export interface Decoded extends Scan {
	/** Rows of RGBA8. Valid until the same decoder is asked for another picture, but for the one that it is decoded with. */
	rgba: Buffer;
}

/** A larger picture gets memory of its own, which is not kept. */
const KEPT_PIXELS = 1024 * 1024;

/** Whether a picture is decoded in memory that is kept for the next, in which another may be decoded with it. */
export function isKept({ width, height }: Structure): boolean {
	return width * height <= KEPT_PIXELS;
}

/** Who waits for a picture. */
interface Asked extends CodedPicture {
	settle: (rgba: Buffer | null) => void;
}

/** For one thread. Two pictures that are asked for at once are decoded together; there must be no more than two. */
export class Decoder {
	readonly #memory = new PictureMemory();
	#asked: Asked[] = [];

	/** The picture in `file` (without what follows it), or null when it cannot be decoded. `careful` uses the arbiter only. */
	async decode(file: Buffer, structure: Structure, careful: boolean): Promise<Decoded | null> {
		const { width, height, picture } = structure;
		if (structure.plain && !careful) {
			const coded = { vp8l: file.subarray(picture.start, picture.start + picture.bytes), width, height };
			const memory = isKept(structure) ? this.#memory : new PictureMemory();
			const rgba = memory === this.#memory ? await this.#decodeKept(coded) : (memory.decode([coded])[0] ?? null);
			if (rgba !== null) {
				const scan = memory.scan(rgba, width, height);
				// A file that says it has no alpha and has some all the same: the arbiter drops it.
				if (structure.alpha || scan.opaque) return { rgba, ...scan };
			}
		}
		const rgba = await arbiter(file, width, height);
		return rgba === null ? null : { rgba, ...this.#memory.scan(rgba, width, height) };
	}

	/** Waits until all that is to be done now is done, so that whoever else asks is there. */
	#decodeKept(coded: CodedPicture): Promise<Buffer | null> {
		return new Promise((settle) => {
			this.#asked.push({ ...coded, settle });
			if (this.#asked.length === 1) queueMicrotask(() => this.#decodeAsked());
		});
	}

	#decodeAsked(): void {
		const asked = this.#asked;
		this.#asked = [];
		const decoded = this.#memory.decode(asked);
		for (const [i, { settle }] of asked.entries()) settle(decoded[i] ?? null);
	}
}

/**
 * sharp, which comes with the package: no colour profile applied, no orientation, alpha 255 where there is none.
 * Loaded when first needed: most runs never need it, and it takes 30 MB.
 */
async function arbiter(file: Buffer, width: number, height: number): Promise<Buffer | null> {
	const { openSharp } = await import("./sharp.js");
	try {
		const options = { ignoreIcc: true, failOn: "warning", limitInputPixels: MAX_PIXELS } as const;
		const { data, info } = await openSharp(file, options).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
		return info.width === width && info.height === height && info.channels === 4 ? data : null;
	} catch {
		return null;
	}
}

export interface StoredHeader {
	format: StoredFormat;
	width: number;
	height: number;
}

const FORMATS: Record<string, StoredFormat> = { webp: "webp", jpeg: "jpeg", png: "png", heif: "avif", avif: "avif" };

/** What the header of a picture in one of the stored formats says; null when it is none of them. */
export async function storedHeader(content: Buffer): Promise<StoredHeader | null> {
	const { openSharp } = await import("./sharp.js");
	try {
		const { format, width, height } = await openSharp(content, { limitInputPixels: MAX_PIXELS }).metadata();
		const known = FORMATS[format ?? ""];
		return known === undefined ? null : { format: known, width, height };
	} catch {
		return null;
	}
}

/** Whether a picture in one of the stored formats decodes to its end, without a warning. */
export async function decodesWhole(content: Buffer): Promise<boolean> {
	const { openSharp } = await import("./sharp.js");
	try {
		await openSharp(content, { failOn: "warning", limitInputPixels: MAX_PIXELS }).raw().toBuffer();
		return true;
	} catch {
		return false;
	}
}
