/** Re-encodes. Deterministic (fixed effort, one thread, no metadata): equal pixels and settings give equal bytes. */

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

/** The longest side that the WebP and AVIF encoders accept. A WebP can have 16,384 pixels; then it is scaled down. */
const MAX_ENCODED_SIDE = 16_383;
const DEFAULT_QUALITY = 90;

/**
 * Encodes pixels by the settings; null for `passthrough`, and where `webp-lossless` would have to scale a picture that
 * is one pixel too long. The colour profile is dropped with the other metadata: pixel values, which `pixel_sha256`
 * covers, do not change.
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
	// A fully opaque alpha channel is not encoder.
	if (picture.opaque) source.removeAlpha();
	const limit =
		settings.max_side ?? (tooLong && settings.image !== "png" && settings.image !== "jpeg" ? MAX_ENCODED_SIDE : null);
	if (limit !== null) source.resize({ width: limit, height: limit, fit: "inside", withoutEnlargement: true });
	const { output, format } = encoder(source, settings.image, settings.quality ?? DEFAULT_QUALITY);
	try {
		const { data, info } = await output.toBuffer({ resolveWithObject: true });
		return { content: data, format, width: info.width, height: info.height };
	} catch (error) {
		throw new LakeError("INTERNAL", `A picture of ${width}×${height} could not be encoded as ${format}.`, {
			cause: error,
		});
	}
}

function encoder(
	source: Sharp,
	image: Exclude<Settings["image"], "passthrough">,
	quality: number,
): { output: Sharp; format: StoredFormat } {
	switch (image) {
		case "webp-lossless":
			// `exact` keeps the colour of transparent pixels.
			return { output: source.webp({ lossless: true, exact: true, effort: 4 }), format: "webp" };
		case "webp":
			return { output: source.webp({ quality, effort: 4 }), format: "webp" };
		case "jpeg":
			// JPEG has no alpha: transparent pixels become white, as on a page.
			return { output: source.flatten({ background: "#ffffff" }).jpeg({ quality }), format: "jpeg" };
		case "png":
			return { output: source.png({ compressionLevel: 6 }), format: "png" };
		case "avif":
			return { output: source.avif({ quality, effort: 4 }), format: "avif" };
	}
}
