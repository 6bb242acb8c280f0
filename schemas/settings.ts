import { z } from "zod";

export const IMAGE_MODES = ["passthrough", "webp-lossless", "webp", "jpeg", "png", "avif"] as const;
export const VERIFY_MODES = ["decode", "structure"] as const;
export const BAD_IMAGE_MODES = ["drop-image", "drop-group"] as const;
export const WHERE_MODES = ["image", "prompt"] as const;
/** Longest predicate, in characters. */
export const LONGEST_WHERE = 4000;

/** What shapes the data and belongs to the lake. Null where it does not apply. */
export const Settings = z.strictObject({
	/** How images are stored; `passthrough` keeps the original bytes. */
	image: z.enum(IMAGE_MODES),
	/** 1–100, of the lossy formats `webp`, `jpeg` and `avif`; else null. */
	quality: z.int().min(1).max(100).nullable(),
	/** Longest side in pixels of a re-encoded image; null keeps the size. */
	max_side: z.int().min(1).max(16383).nullable(),
	verify: z.enum(VERIFY_MODES),
	on_bad_image: z.enum(BAD_IMAGE_MODES),
	/** Predicate of a selective mirror, over the metadata's columns; null: everything. */
	where: z.string().nullable(),
	/** What is chosen where the predicate is true: the image, or all images of its prompt in the shard. Present beside a predicate only. */
	where_mode: z.enum(WHERE_MODES).optional(),
	/** Name and version of what re-encodes; null with `passthrough`. */
	codec: z.string().nullable(),
});
export type Settings = z.infer<typeof Settings>;

export const DEFAULT_SETTINGS: Settings = {
	image: "passthrough",
	quality: null,
	max_side: null,
	verify: "decode",
	on_bad_image: "drop-image",
	where: null,
	codec: null,
};
