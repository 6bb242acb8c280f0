/**
 * Decoding to RGBA8, after the structure was found good. A fast decoder reads plain lossless files; whatever it
 * rejects, and every other file, is decided by the arbiter, so that the verdict is the same on every machine.
 * Figures and reasons: docs/decisions/0002-image-decoding.md.
 */

import type { StoredFormat } from "../../../schemas/stored-format.js";
import { PixelScanner, type Scan } from "./pixels.js";
import { MAX_PIXELS, type Structure } from "./structure.js";

/** `auto`: libwebp where the system has it. `arbiter`: no fast decoder. */
export type DecoderChoice = "auto" | "arbiter";

export interface Decoded extends Scan {
	/** Rows of RGBA8. Valid until the next picture is decoded by the same decoder. */
	rgba: Buffer;
}

/** Fills `rgba` (`width · height · 4` bytes) from a plain lossless file; false when it cannot. */
export interface FastDecoder {
	readonly name: string;
	decode(riff: Buffer, structure: Structure, rgba: Buffer): boolean;
}

/** Where the system's libwebp is found, by Node's name of the platform. */
const LIBRARIES: Partial<Record<NodeJS.Platform, string>> = {
	linux: "libwebp.so.7",
	darwin: "libwebp.7.dylib",
};

/** Decodes pictures one after another: for one thread, one picture at a time. */
export class Decoder {
	readonly #fast: FastDecoder | null;
	readonly #scanner = new PixelScanner();

	constructor(fast: FastDecoder | null) {
		this.#fast = fast;
	}

	/** The picture in `riff` (exactly the RIFF container), or null when it cannot be decoded. `careful` uses the arbiter only. */
	async decode(riff: Buffer, structure: Structure, careful: boolean): Promise<Decoded | null> {
		const { width, height } = structure;
		if (this.#fast !== null && structure.plain && !careful) {
			const rgba = this.#scanner.frame(width * height * 4);
			if (this.#fast.decode(riff, structure, rgba)) {
				const scan = this.#scanner.scan(rgba, width, height);
				// A file that says it has no alpha and has some all the same: libwebp gives it, the arbiter drops it.
				if (structure.alpha || scan.opaque) return { rgba, ...scan };
			}
		}
		const rgba = await arbiter(riff, width, height);
		return rgba === null ? null : { rgba, ...this.#scanner.scan(rgba, width, height) };
	}
}

/**
 * The system's libwebp, or null where it is not to be had. Never throws: without it everything works, more slowly.
 * `library`: path or name, null for the platform's own.
 */
export async function loadFastDecoder(choice: DecoderChoice, library: string | null): Promise<FastDecoder | null> {
	if (choice === "arbiter") return null;
	const name = library ?? LIBRARIES[process.platform];
	if (name === undefined) return null;
	try {
		const { default: koffi } = await import("koffi");
		// uint8_t* WebPDecodeRGBAInto(const uint8_t* data, size_t size, uint8_t* out, size_t out_size, int stride)
		const into = koffi
			.load(name)
			.func("WebPDecodeRGBAInto", "uintptr_t", ["void*", "size_t", "void*", "size_t", "int"]);
		return {
			name: "libwebp",
			decode: (riff, { width }, rgba) => Boolean(into(riff, riff.length, rgba, rgba.length, width * 4)),
		};
	} catch {
		return null;
	}
}

/**
 * sharp, which comes with the package: no colour profile applied, no orientation, alpha 255 where there is none.
 * Loaded when first needed: most runs never need it, and it takes 30 MB.
 */
async function arbiter(riff: Buffer, width: number, height: number): Promise<Buffer | null> {
	const { openSharp } = await import("./sharp.js");
	try {
		const options = { ignoreIcc: true, failOn: "warning", limitInputPixels: MAX_PIXELS } as const;
		const { data, info } = await openSharp(riff, options).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
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
