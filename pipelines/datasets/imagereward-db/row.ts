import type { Row, Scalar } from "../../../schemas/tables.js";
import type { SourceColumn } from "../../dataset.js";

/** The nine columns of ImageRewardDB: the same in a shard's JSON, in the metadata and in the lake. */

/** One row on which all records agree. */
export interface RewardRow extends Row {
	image_path: string;
	prompt_id: string;
	prompt: string;
	classification: string;
	image_amount_in_total: number;
	/** 1 is best; ties are normal. */
	rank: number;
	overall_rating: number;
	image_text_alignment_rating: number;
	fidelity_rating: number;
}

export const RATING_COLUMNS = ["overall_rating", "image_text_alignment_rating", "fidelity_rating"] as const;

type Read = (value: unknown) => Scalar | undefined;

const text: Read = (value) => (typeof value === "string" ? value : undefined);
const nonEmpty: Read = (value) => (value === "" ? undefined : text(value));

function int8(least = -128): Read {
	return (value) =>
		typeof value === "number" && Number.isInteger(value) && value >= least && value <= 127 ? value : undefined;
}

function textColumn(name: keyof RewardRow & string, read = text): SourceColumn {
	return { name, type: "text", json: { field: name, read }, metadata: { column: name, type: "text" } };
}

function integerColumn(name: keyof RewardRow & string, read = int8()): SourceColumn {
	return { name, type: "byte", json: { field: name, read }, metadata: { column: name, type: "integer" } };
}

export const columns: readonly SourceColumn[] = [
	textColumn("image_path"),
	textColumn("prompt_id", nonEmpty),
	textColumn("prompt"),
	textColumn("classification"),
	integerColumn("image_amount_in_total"),
	integerColumn("rank", int8(1)),
	...RATING_COLUMNS.map((name) => integerColumn(name)),
];
