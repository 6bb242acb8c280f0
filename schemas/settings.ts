import { z } from "zod";
import { BAD_IMAGE_MODES, IMAGE_MODES, LONGEST_WHERE, MAX_SIDE, QUALITY, VERIFY_MODES, WHERE_MODES } from "./bounds.js";

const quality = z.int().min(QUALITY.least).max(QUALITY.most);
const maxSide = z.int().min(MAX_SIDE.least).max(MAX_SIDE.most);

/** Settings that shape the data and belong to the lake. Null if one does not apply. */
export const Settings = z.strictObject({
	/** How images are stored; `passthrough` keeps the original bytes. */
	image: z.enum(IMAGE_MODES),
	/** Quality of the lossy formats `webp`, `jpeg` and `avif`; else null. */
	quality: quality.nullable(),
	/** Longest side in pixels of a re-encoded image; null keeps the size. */
	max_side: maxSide.nullable(),
	verify: z.enum(VERIFY_MODES),
	on_bad_image: z.enum(BAD_IMAGE_MODES),
	/** Predicate of a selective mirror, over the metadata's columns; null: everything. */
	where: z.string().nullable(),
	/**
	 * What is selected where the predicate is true: the image, or all images of its prompt in the shard. Present only
	 * with a predicate.
	 */
	where_mode: z.enum(WHERE_MODES).optional(),
	/** Name and version of the encoder; null with `passthrough`. */
	codec: z.string().nullable(),
});
export type Settings = z.infer<typeof Settings>;

/** Settings as requested: an absent one keeps the lake's value. */
export const RequestedSettings = Settings.omit({ codec: true })
	.extend({
		quality,
		max_side: maxSide,
		/** "" asks for no predicate. */
		where: z.string().max(LONGEST_WHERE),
	})
	.partial();
export type RequestedSettings = z.infer<typeof RequestedSettings>;

export const DEFAULT_SETTINGS: Settings = {
	image: "passthrough",
	quality: null,
	max_side: null,
	verify: "decode",
	on_bad_image: "drop-image",
	where: null,
	codec: null,
};
