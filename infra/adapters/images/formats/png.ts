import { MAX_BYTES, MAX_PIXELS, rejected, tooManyPixels, undecodable, type Verdict } from "./structure.js";

/**
 * The least that must hold of a PNG before a decoder sees it (PNG, third edition, 5.2 and 11.2.1): its signature, and a
 * size that is none too large. All else is the arbiter's to judge.
 */

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** The signature; length, type, width and height of the first chunk. */
const HEAD_BYTES = SIGNATURE.length + 16;

/** `bytes` is the file's full length where `content` is only its head. */
export function examinePng(content: Buffer, bytes: number = content.length): Verdict {
	if (bytes === 0) return rejected("IMAGE_EMPTY", "The file has no bytes.");
	if (!content.subarray(0, SIGNATURE.length).equals(SIGNATURE)) {
		return rejected("IMAGE_NOT_PNG", "The file does not begin with the signature of a PNG.");
	}
	if (bytes > MAX_BYTES) return rejected("IMAGE_TOO_LARGE", `The file has ${bytes} bytes; the limit is ${MAX_BYTES}.`);
	if (bytes < HEAD_BYTES) return rejected("IMAGE_TRUNCATED", "The file ends before its header does.");
	if (content.toString("latin1", 12, 16) !== "IHDR") return undecodable("The file does not begin with its header.");
	const [width, height] = [content.readUInt32BE(16), content.readUInt32BE(20)];
	if (width === 0 || height === 0) return undecodable("The header gives the picture no size.");
	if (width * height > MAX_PIXELS) return tooManyPixels({ width, height });
	const picture = { start: 0, bytes };
	return { ok: true, structure: { width, height, bytes, picture, plain: false, alpha: false, warnings: [] } };
}
