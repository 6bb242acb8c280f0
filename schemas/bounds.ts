/**
 * Allowed values and bounds of settings and options, each defined only here. Without zod, since the command line's help
 * shows them and must answer without the time to load it.
 */

export const IMAGE_MODES = ["passthrough", "webp-lossless", "webp", "jpeg", "png", "avif"] as const;
export const VERIFY_MODES = ["decode", "structure"] as const;
export const BAD_IMAGE_MODES = ["drop-image", "drop-group"] as const;
export const WHERE_MODES = ["image", "prompt"] as const;
export const SHARD_FAILURE_MODES = ["fail", "skip"] as const;
/** How a store on S3 encrypts; if absent, the bucket's default holds. */
export const S3_ENCRYPTIONS = ["AES256", "aws:kms", "aws:kms:dsse"] as const;
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

interface Bounds {
	least: number;
	most: number;
}

/** Quality of the lossy formats. */
export const QUALITY: Bounds = { least: 1, most: 100 };
/** Longest side of a re-encoded image, in pixels. */
export const MAX_SIDE: Bounds = { least: 1, most: 16383 };
/** Largest share of a shard's rows that may be bad. */
export const REJECT_RATIO: Bounds = { least: 0, most: 1 };
/** Longest predicate, in characters. */
export const LONGEST_WHERE = 4000;
