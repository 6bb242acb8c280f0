/**
 * File ending of a stored object, by the format it is stored in. In a file of its own, without zod: each image thread
 * needs it, and zod takes 90 ms to load.
 */
export const EXTENSION = { webp: "webp", jpeg: "jpg", png: "png", avif: "avif" } as const;
export type StoredFormat = keyof typeof EXTENSION;
/** What the images of a dataset may be. */
export type SourceFormat = "webp" | "png";
