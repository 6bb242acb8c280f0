/** The four tables: their columns, as DuckDB writes them and as Delta names them. */

export type ColumnType =
	| "text"
	| "byte"
	| "integer"
	| "long"
	| "texts"
	/** `STRUCT(image_id, object_key, rank, overall_rating, image_text_alignment_rating, fidelity_rating)[]` */
	| "prompt_images";

export interface Column {
	name: string;
	type: ColumnType;
}

function columns(type: ColumnType, ...names: string[]): Column[] {
	return names.map((name) => ({ name, type }));
}

function pairSide(side: "better" | "worse"): Column[] {
	return [
		...columns("text", `${side}_image_id`, `${side}_image_path`, `${side}_object_key`),
		...columns(
			"byte",
			`${side}_rank`,
			`${side}_overall_rating`,
			`${side}_image_text_alignment_rating`,
			`${side}_fidelity_rating`,
		),
	];
}

/** Tables in the order in which a publish commits them. */
export const TABLE_NAMES = ["images", "prompts", "pairs", "quarantine"] as const;
export type TableName = (typeof TABLE_NAMES)[number];

/** Columns inside the parquet files, in order; the partition columns `split` and `shard` come after them. */
export const TABLES: Record<TableName, Column[]> = {
	images: [
		...columns("text", "image_id", "image_path", "prompt_id", "prompt", "classification"),
		...columns(
			"byte",
			"image_amount_in_total",
			"rank",
			"overall_rating",
			"image_text_alignment_rating",
			"fidelity_rating",
		),
		...columns("text", "object_key", "sha256"),
		...columns("long", "bytes"),
		...columns("text", "format"),
		...columns("integer", "width", "height"),
		...columns("text", "source_sha256"),
		...columns("long", "source_bytes"),
		...columns("integer", "source_width", "source_height"),
		...columns("text", "crc32", "pixel_sha256", "dhash"),
		...columns("texts", "warnings"),
	],
	prompts: [
		...columns("text", "prompt_id", "prompt", "classification"),
		...columns("prompt_images", "images"),
		...columns("integer", "image_count", "expected_count", "pair_count", "tie_count", "inversion_count"),
	],
	pairs: [...columns("text", "prompt_id", "prompt", "classification"), ...pairSide("better"), ...pairSide("worse")],
	quarantine: [
		...columns("text", "code", "severity", "image_path", "prompt_id", "member", "detail", "row"),
		...columns("long", "bytes"),
		...columns("text", "sha256"),
	],
};

export const PARTITION_COLUMNS: Column[] = [
	{ name: "split", type: "text" },
	{ name: "shard", type: "integer" },
];

export const PROMPT_IMAGE_FIELDS: Column[] = [
	...columns("text", "image_id", "object_key"),
	...columns("byte", "rank", "overall_rating", "image_text_alignment_rating", "fidelity_rating"),
];

export interface PromptImage {
	image_id: string;
	object_key: string;
	rank: number;
	overall_rating: number;
	image_text_alignment_rating: number;
	fidelity_rating: number;
}

export type Cell = string | number | null | string[] | PromptImage[];

/** One row of a table; keys are the table's columns. */
export type TableRow = Record<string, Cell>;
