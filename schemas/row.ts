import { z } from "zod";

const int8 = z.int().min(-128).max(127);

/** One row of a shard's JSON: the nine columns of ImageRewardDB. Columns beyond these are let through and reported. */
export const SourceRow = z.object({
	image_path: z.string(),
	prompt_id: z.string().min(1),
	prompt: z.string(),
	classification: z.string(),
	image_amount_in_total: int8,
	/** 1 is best; ties are normal. */
	rank: int8.min(1),
	overall_rating: int8,
	image_text_alignment_rating: int8,
	fidelity_rating: int8,
});
export type SourceRow = z.infer<typeof SourceRow>;

export const TEXT_COLUMNS = ["image_path", "prompt_id", "prompt", "classification"] as const;
export const INTEGER_COLUMNS = [
	"image_amount_in_total",
	"rank",
	"overall_rating",
	"image_text_alignment_rating",
	"fidelity_rating",
] as const;
export const ROW_COLUMNS = [...TEXT_COLUMNS, ...INTEGER_COLUMNS] as const;
export type RowColumn = (typeof ROW_COLUMNS)[number];
export const RATING_COLUMNS = ["overall_rating", "image_text_alignment_rating", "fidelity_rating"] as const;

/**
 * One row of a split's metadata parquet. Integers of any width arrive as numbers where they are
 * safe, else as text; null where the cell is null.
 */
export type MetadataRow = Record<RowColumn, string | number | null>;
