/**
 * Decodes to RGBA8 once the structure is known to be good. The decoder in vp8l/ reads plain lossless files; the arbiter
 * decides every other file, and those that vp8l/ cannot read to the end. Figures and reasons:
 * docs/decisions/0011-own-decoder.md.
 */

import type { StoredFormat } from "../../../schemas/stored-format.js";
import { MAX_PIXELS, type Structure } from "./formats/structure.js";
import { type CodedPicture, PictureMemory, type Scan } from "./pixels.js";

export interface Decoded extends Scan {
	/** Rows of RGBA8. Valid until the decoder's next decode() (its partner's excepted). */
	rgba: Buffer;
}

/** A larger picture gets its own memory, which is not kept. */
const KEPT_PIXELS = 1024 * 1024;

/** Whether a picture is decoded in the reused memory, where it may share a pass with a partner. */
export function isKept({ width, height }: Structure): boolean {
	return width * height <= KEPT_PIXELS;
}

/** A picture that a caller waits for. */
interface PendingPicture extends CodedPicture {
	resolve: (rgba: Buffer | null) => void;
}

/** For one thread. Two pictures requested at once are decoded together; there must be no more than two. */
export class Decoder {
	readonly #memory = new PictureMemory();
	#pending: PendingPicture[] = [];

	/** The picture in `file` (without bytes after it), or null if it cannot be decoded. `careful`: by the arbiter only. */
	async decode(file: Buffer, structure: Structure, careful: boolean): Promise<Decoded | null> {
		const { width, height, picture } = structure;
		if (structure.plain && !careful) {
			const coded = { vp8l: file.subarray(picture.start, picture.start + picture.bytes), width, height };
			const memory = isKept(structure) ? this.#memory : new PictureMemory();
			const rgba = memory === this.#memory ? await this.#decodeKept(coded) : (memory.decode([coded])[0] ?? null);
			if (rgba !== null) {
				const scan = memory.scan(rgba, width, height);
				// If the file denies having alpha but has some, the arbiter drops the alpha.
				if (structure.alpha || scan.opaque) return { rgba, ...scan };
			}
		}
		const rgba = await arbiter(file, width, height);
		return rgba === null ? null : { rgba, ...this.#memory.scan(rgba, width, height) };
	}

	/** Defers by one microtask so that a second picture can join. */
	#decodeKept(coded: CodedPicture): Promise<Buffer | null> {
		return new Promise((resolve) => {
			this.#pending.push({ ...coded, resolve });
			if (this.#pending.length === 1) queueMicrotask(() => this.#decodePending());
		});
	}

	#decodePending(): void {
		const pending = this.#pending;
		this.#pending = [];
		const decoded = this.#memory.decode(pending);
		for (const [i, { resolve }] of pending.entries()) resolve(decoded[i] ?? null);
	}
}

/**
 * Decodes with sharp: colour profile and orientation are ignored, missing alpha becomes 255. Loaded on first use, since
 * most runs never need it and it takes 30 MB.
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

interface StoredHeader {
	format: StoredFormat;
	width: number;
	height: number;
}

const FORMATS: Record<string, StoredFormat> = { webp: "webp", jpeg: "jpeg", png: "png", heif: "avif", avif: "avif" };

/** Format and size of a picture in one of the stored formats, by its header; null for any other. */
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

/** Whether a picture in one of the stored formats decodes to its end without a warning. */
export async function decodesWhole(content: Buffer): Promise<boolean> {
	const { openSharp } = await import("./sharp.js");
	try {
		await openSharp(content, { failOn: "warning", limitInputPixels: MAX_PIXELS }).raw().toBuffer();
		return true;
	} catch {
		return false;
	}
}
