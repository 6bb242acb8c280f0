import { z } from "zod";
import { Sha256 } from "./records.js";

/** The record of an export, which appears in the folder after everything else. */

export const EXPORT_RECORD = "export.json";

/** Everything an export's bytes depend on: equal keys, equal bytes. */
export const ExportKey = z.object({
	/** The format's name. */
	export: z.string(),
	snapshot: z.object({ number: z.int().positive(), path: z.string(), sha256: Sha256 }),
	/** In the dataset's order. */
	shards: z.array(z.string()),
	/** The format's own options, defaults included. */
	options: z.record(z.string(), z.union([z.string(), z.number()])),
});
export type ExportKey = z.infer<typeof ExportKey>;

/** A file that an export made. `path` is relative to the export. */
export const ExportedFile = z.object({ path: z.string(), bytes: z.int().nonnegative(), sha256: Sha256 });
export type ExportedFile = z.infer<typeof ExportedFile>;

/** `export.json`: the last file to appear, or the last but the card. */
export const ExportRecord = ExportKey.extend({
	format: z.literal(1),
	/** `images`, and the dataset's own counts. */
	counts: z.object({ images: z.int() }).catchall(z.int()),
	/** Every file except this one and images that are files of their own. */
	files: z.array(ExportedFile),
	/** Images that are files of their own, below `images/`. */
	image_files: z.object({ count: z.int().nonnegative(), bytes: z.int().nonnegative() }),
});
export type ExportRecord = z.infer<typeof ExportRecord>;
