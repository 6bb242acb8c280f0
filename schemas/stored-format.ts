/**
 * File extension of a stored object, by its format. In a file of its own, without zod, because each image thread needs
 * it and zod takes 90 ms to load.
 */
export const EXTENSION = { webp: "webp", jpeg: "jpg", png: "png", avif: "avif" } as const;
export type StoredFormat = keyof typeof EXTENSION;
/** Formats that a dataset's images may have. */
export type SourceFormat = "webp" | "png";
