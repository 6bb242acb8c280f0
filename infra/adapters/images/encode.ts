/** Re-encoding. Deterministic: fixed effort, one thread, no metadata; same pixels and settings, same bytes. */

import type { Sharp } from "sharp";
import { LakeError } from "../../../schemas/errors.js";
import type { Settings } from "../../../schemas/settings.js";
import type { StoredFormat } from "../../../schemas/stored-format.js";
import type { Decoded } from "./decode.js";
import { openSharp } from "./sharp.js";

export interface Encoded {
	content: Buffer;
	format: StoredFormat;
	width: number;
	height: number;
}

/** The longest side that WebP and AVIF encoders take. A WebP may be one pixel longer; then it is scaled to fit. */
const MAX_ENCODED_SIDE = 16_383;
const DEFAULT_QUALITY = 90;

/**
 * Encodes pixels as the settings say; null for `passthrough`, and where `webp-lossless` would have to scale a picture
 * that is a pixel too long, which nobody asked for. The colour profile goes with the other metadata: pixels keep their
 * numbers, as `pixel_sha256` counts them.
 */
export async function encode(
	picture: Decoded,
	width: number,
	height: number,
	settings: Settings,
): Promise<Encoded | null> {
	if (settings.image === "passthrough") return null;
	const tooLong = Math.max(width, height) > MAX_ENCODED_SIDE;
	if (settings.image === "webp-lossless" && settings.max_side === null && tooLong) return null;
	const source = openSharp(picture.rgba, { raw: { width, height, channels: 4 } });
	// An alpha channel that says nothing is not written.
	if (picture.opaque) source.removeAlpha();
	const limit =
		settings.max_side ?? (tooLong && settings.image !== "png" && settings.image !== "jpeg" ? MAX_ENCODED_SIDE : null);
	if (limit !== null) source.resize({ width: limit, height: limit, fit: "inside", withoutEnlargement: true });
	const { output, format } = written(source, settings.image, settings.quality ?? DEFAULT_QUALITY);
	try {
		const { data, info } = await output.toBuffer({ resolveWithObject: true });
		return { content: data, format, width: info.width, height: info.height };
	} catch (error) {
		throw new LakeError("INTERNAL", `A picture of ${width}×${height} could not be encoded as ${format}.`, {
			cause: error,
		});
	}
}

function written(
	source: Sharp,
	image: Exclude<Settings["image"], "passthrough">,
	quality: number,
): { output: Sharp; format: StoredFormat } {
	switch (image) {
		case "webp-lossless":
			// `exact` keeps the colour below transparent pixels.
			return { output: source.webp({ lossless: true, exact: true, effort: 4 }), format: "webp" };
		case "webp":
			return { output: source.webp({ quality, effort: 4 }), format: "webp" };
		case "jpeg":
			// JPEG has no alpha: what is transparent becomes white, as on a page.
			return { output: source.flatten({ background: "#ffffff" }).jpeg({ quality }), format: "jpeg" };
		case "png":
			return { output: source.png({ compressionLevel: 6 }), format: "png" };
		case "avif":
			return { output: source.avif({ quality, effort: 4 }), format: "avif" };
	}
}
