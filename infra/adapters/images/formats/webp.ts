/**
 * Checks a WebP file's structure before any decoder sees it, by the container's specification
 * (developers.google.com/speed/webp/docs/riff_container). Where that leaves a choice, this follows the arbiter (sharp;
 * see docs/decisions/0002-image-decoding.md), so that `--verify structure` never rejects a picture that decoding would
 * accept.
 */

import type { ImageFinding } from "../../../../pipelines/ports/images.js";
import {
	MAX_BYTES,
	MAX_PIXELS,
	rejected,
	type Structure,
	tooManyPixels,
	undecodable,
	type Verdict,
} from "./structure.js";

interface Chunk {
	id: string;
	start: number;
	bytes: number;
}

interface Size {
	width: number;
	height: number;
}

const VP8X_BYTES = 10;
const FLAG_ANIMATION = 0x02;
const FLAG_ALPHA = 0x10;
/** Colour profile, alpha, Exif, XMP, animation. */
const KNOWN_FLAGS = 0x3e;
const METADATA = new Set(["ICCP", "EXIF", "XMP "]);
const PICTURE = new Set(["VP8 ", "VP8L"]);

function tag(content: Buffer, at: number): string {
	return content.toString("latin1", at, at + 4);
}

/**
 * Judges `content`, in the contract's order: empty, not WebP, too large, truncated, animated, undecodable. `bytes` is
 * the file's full length if `content` is only its head (for files over MAX_BYTES, which are rejected anyway).
 */
export function examineWebp(content: Buffer, bytes: number = content.length): Verdict {
	if (bytes === 0) return rejected("IMAGE_EMPTY", "The file has no bytes.");
	if (bytes < 12) return rejected("IMAGE_NOT_WEBP", `The file has ${bytes} bytes; a WebP header alone has 12.`);
	if (tag(content, 0) !== "RIFF" || tag(content, 8) !== "WEBP") {
		return rejected("IMAGE_NOT_WEBP", "The file does not begin as RIFF … WEBP.");
	}
	// A smaller file whose RIFF size is over the limit is truncated, not too large.
	if (bytes > MAX_BYTES) return rejected("IMAGE_TOO_LARGE", `The file has ${bytes} bytes; the limit is ${MAX_BYTES}.`);
	const claimed = content.readUInt32LE(4) + 8;
	const end = Math.min(claimed, bytes);
	const canvas = headerSize(content, end);
	if (canvas !== null && canvas.width * canvas.height > MAX_PIXELS) {
		return tooManyPixels(canvas);
	}
	if (claimed > bytes) {
		return rejected("IMAGE_TRUNCATED", `The RIFF header claims ${claimed} bytes, the file has ${bytes}.`);
	}
	return examineChunks(content, claimed);
}

/** Size by the first chunk, which may be cut short: the canvas of `VP8X`, else the picture's. */
function headerSize(content: Buffer, end: number): Size | null {
	if (end < 20) return null;
	const chunk = { id: tag(content, 12), start: 20, bytes: Math.min(content.readUInt32LE(16), end - 20) };
	return chunk.id === "VP8X" ? canvasSize(content, chunk) : pictureSize(content, chunk);
}

function canvasSize(content: Buffer, chunk: Chunk): Size | null {
	if (chunk.bytes < VP8X_BYTES) return null;
	return { width: content.readUIntLE(chunk.start + 4, 3) + 1, height: content.readUIntLE(chunk.start + 7, 3) + 1 };
}

/** Size by the picture's own header; null if that is invalid. */
function pictureSize(content: Buffer, chunk: Chunk): Size | null {
	if (chunk.id === "VP8L" && chunk.bytes >= 5) {
		if (content[chunk.start] !== 0x2f) return null;
		const bits = content.readUInt32LE(chunk.start + 1);
		// The three bits of the version must be 0.
		if (bits >>> 29 !== 0) return null;
		return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
	}
	if (chunk.id === "VP8 " && chunk.bytes >= 10) {
		const frame = content.readUIntLE(chunk.start, 3);
		// A key frame, of profile 0–3, shown, followed by the start code (RFC 6386, 9.1).
		const keyFrame = (frame & 1) === 0 && ((frame >>> 1) & 7) <= 3 && ((frame >>> 4) & 1) === 1;
		if (!keyFrame || content.readUIntBE(chunk.start + 3, 3) !== 0x9d012a) return null;
		const width = content.readUInt16LE(chunk.start + 6) & 0x3fff;
		const height = content.readUInt16LE(chunk.start + 8) & 0x3fff;
		return width === 0 || height === 0 ? null : { width, height };
	}
	return null;
}

/**
 * Splits the container into chunks; null unless they fill it exactly. The arbiter rejects the same: an odd RIFF size, a
 * last chunk without its padding byte, a rest too short for a chunk.
 */
function chunksOf(content: Buffer, end: number): Chunk[] | null {
	if (end % 2 === 1) return null;
	const chunks: Chunk[] = [];
	let at = 12;
	while (at < end) {
		if (at + 8 > end) return null;
		const chunk = { id: tag(content, at), start: at + 8, bytes: content.readUInt32LE(at + 4) };
		at = chunk.start + chunk.bytes + (chunk.bytes % 2);
		if (at > end) return null;
		chunks.push(chunk);
	}
	return chunks;
}

function examineChunks(content: Buffer, end: number): Verdict {
	const first = end >= 20 ? tag(content, 12) : "";
	const extended = first === "VP8X" ? { id: first, start: 20, bytes: content.readUInt32LE(16) } : null;
	const flags = extended !== null && extended.bytes > 0 && end > 20 ? (content[20] as number) : 0;
	const chunks = chunksOf(content, end);
	// The arbiter rejects an animation chunk without the flag; here it counts as an animation.
	if ((flags & FLAG_ANIMATION) !== 0 || chunks?.some((chunk) => chunk.id === "ANIM" || chunk.id === "ANMF")) {
		return rejected("IMAGE_ANIMATED", "The file is an animation.");
	}
	if (end < 20) return undecodable("The RIFF container holds no chunk.");
	if (chunks === null) return undecodable("The chunks do not fit the RIFF container.");
	// Without VP8X the picture comes first, and the specification says to ignore what follows.
	const picture = extended === null ? chunks[0] : chunks.find((chunk) => PICTURE.has(chunk.id));
	if (picture === undefined || !PICTURE.has(picture.id)) return undecodable("The file has no picture chunk.");
	const size = pictureSize(content, picture);
	if (size === null) return undecodable("The header of the picture chunk is damaged.");
	if (extended !== null) {
		const wrong = wrongExtension(content, extended, chunks, size);
		if (wrong !== null) return undecodable(wrong);
	}
	return { ok: true, structure: { ...describe(content, end, chunks, picture), ...size } };
}

/** What is wrong with a `VP8X` file, or null. The arbiter rejects each of these. */
function wrongExtension(content: Buffer, extended: Chunk, chunks: Chunk[], size: Size): string | null {
	const canvas = canvasSize(content, extended);
	if (canvas === null) return "The VP8X header is too short.";
	if (((content[extended.start] as number) & ~KNOWN_FLAGS) !== 0) return "The VP8X header sets reserved flags.";
	if (canvas.width !== size.width || canvas.height !== size.height) {
		return `The VP8X header says ${canvas.width}×${canvas.height}, the picture is ${size.width}×${size.height}.`;
	}
	if (chunks.filter((chunk) => chunk.id === "VP8X").length > 1) return "The file has more than one VP8X header.";
	if (chunks.filter((chunk) => PICTURE.has(chunk.id)).length > 1) return "The file has more than one picture.";
	return null;
}

function describe(content: Buffer, end: number, chunks: Chunk[], picture: Chunk): Omit<Structure, keyof Size> {
	const lossless = picture.id === "VP8L";
	const alpha = lossless && ((content[picture.start + 4] as number) & 0x10) !== 0;
	const extended = chunks[0]?.id === "VP8X" ? chunks[0] : null;
	const plainHeader =
		extended === null
			? chunks.length === 1
			: extended.bytes === VP8X_BYTES &&
				content.readUIntLE(extended.start + 1, 3) === 0 &&
				(((content[extended.start] as number) & FLAG_ALPHA) !== 0) === alpha &&
				chunks.every((chunk) => chunk === extended || chunk === picture || METADATA.has(chunk.id));
	const warnings: ImageFinding[] = [];
	if (!lossless) warnings.push({ code: "IMAGE_NOT_LOSSLESS", detail: "The picture is coded as lossy WebP." });
	if (content.length > end) {
		const detail = `${content.length - end} bytes follow the RIFF container of ${end} bytes.`;
		warnings.push({ code: "IMAGE_TRAILING_BYTES", detail });
	}
	return { bytes: end, picture, alpha, plain: lossless && plainHeader, warnings };
}
