import type { ExportAsked } from "../../../dataset.js";
import type { ExportColumn, ImageRow } from "../../../ports/exports.js";
import { columns as rowColumns } from "../row.js";
import type { LazyCell } from "./hf-cells.js";
import type { Pair, Prompt, RewardImage } from "./pairs.js";

/** Columns of a Hub dataset's configurations, in the order of the dataset's former loader, and their cells. */

/** One kind of configuration: what its rows are. */
export interface Kind<Row> {
	/** Folder of its files. */
	folder: "rows" | "groups" | "pairs";
	/** What follows the size in its configurations' names. */
	suffix: "" | "_group" | "_pair";
	columns: ExportColumn[];
	cells(row: Row): LazyCell[];
	images(row: Row): ImageRow[];
}

const TEXTS = new Set(["prompt_id", "prompt", "classification"]);

function columnOf(name: string): ExportColumn {
	return { name, type: TEXTS.has(name) ? "text" : "byte" };
}

const ROW_FIELDS = rowColumns.map(({ name }) => name).filter((name) => name !== "image_path");
const RANK_FIELDS = ["rank", "overall_rating", "image_text_alignment_rating", "fidelity_rating"] as const;
const PROMPT_FIELDS = ["prompt_id", "prompt", "classification"] as const;

export const ROWS: Kind<RewardImage> = {
	folder: "rows",
	suffix: "",
	columns: [{ name: "image", type: "image" }, ...ROW_FIELDS.map(columnOf)],
	cells: (row) => [{ image: row }, ...ROW_FIELDS.map((name) => row[name] ?? null)],
	images: (row) => [row],
};

export const GROUPS: Kind<Prompt> = {
	folder: "groups",
	suffix: "_group",
	columns: [
		...PROMPT_FIELDS.map(columnOf),
		{ name: "image", type: "images" },
		...RANK_FIELDS.map((name) => ({ name, type: "bytes" as const })),
	],
	cells: (prompt) => [
		...PROMPT_FIELDS.map((name) => prompt[name]),
		prompt.images.map((image) => ({ image })),
		...RANK_FIELDS.map((name) => prompt.images.map((image) => image[name])),
	],
	images: (prompt) => prompt.images,
};

/** A pair, with where its two images stand in the row configuration of the same split and size. */
export interface PlacedPair extends Pair {
	betterRow: number;
	worseRow: number;
}

const SIDES = ["better", "worse"] as const;

const NAMED_PAIRS: Kind<PlacedPair> = {
	folder: "pairs",
	suffix: "_pair",
	columns: [
		...PROMPT_FIELDS.map(columnOf),
		...SIDES.map((side) => ({ name: `${side}_row`, type: "long" as const })),
		...SIDES.map((side) => ({ name: `${side}_image_id`, type: "text" as const })),
		...RANK_FIELDS.flatMap((name) => SIDES.map((side) => ({ name: `${side}_${name}`, type: "byte" as const }))),
	],
	cells: ({ prompt, better, worse, betterRow, worseRow }) => [
		...PROMPT_FIELDS.map((name) => prompt[name]),
		betterRow,
		worseRow,
		better.image_id,
		worse.image_id,
		...RANK_FIELDS.flatMap((name) => [better[name], worse[name]]),
	],
	images: () => [],
};

const EMBEDDED_PAIRS: Kind<PlacedPair> = {
	folder: "pairs",
	suffix: "_pair",
	columns: [
		{ name: "prompt", type: "text" },
		{ name: "img_better", type: "image" },
		{ name: "img_worse", type: "image" },
	],
	cells: ({ prompt, better, worse }) => [prompt.prompt, { image: better }, { image: worse }],
	images: ({ better, worse }) => [better, worse],
};

/** Pairs that name their images, or hold them. */
export const PAIRS: Record<ExportAsked["pairs"], Kind<PlacedPair>> = { rows: NAMED_PAIRS, embed: EMBEDDED_PAIRS };
