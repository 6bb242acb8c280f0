import type { ImageFinding } from "../../../../pipelines/ports/images.js";

/** What the checks before any decoder find out about a file of any format. */

export const MAX_PIXELS = 64_000_000;
export const MAX_BYTES = 64 * 1024 * 1024;

export interface Structure {
	width: number;
	height: number;
	/** Length of what is the picture's own; what follows is no part of it. */
	bytes: number;
	/** Of a plain file: the payload of the picture's chunk. */
	picture: { start: number; bytes: number };
	/**
	 * Whether the file is of the one plain form that our own decoder reads as every other does: lossless WebP, `VP8L`
	 * alone, or `VP8X` with the same size and the same word about alpha, then `VP8L`, with nothing but colour profile, Exif
	 * and XMP around it.
	 */
	plain: boolean;
	/** Of a plain file: whether it says that it has alpha. */
	alpha: boolean;
	warnings: ImageFinding[];
}

export type Verdict = { ok: true; structure: Structure } | { ok: false; reject: ImageFinding };

export function rejected(code: ImageFinding["code"], detail: string): Verdict {
	return { ok: false, reject: { code, detail } };
}

export function undecodable(detail: string): Verdict {
	return rejected("IMAGE_UNDECODABLE", detail);
}

export function tooManyPixels({ width, height }: Pick<Structure, "width" | "height">): Verdict {
	return rejected("IMAGE_TOO_LARGE", `The picture is ${width}×${height}; the limit is ${MAX_PIXELS} pixels.`);
}
