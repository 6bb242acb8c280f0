import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import type { RewardRow } from "../../pipelines/datasets/imagereward-db/row.js";
import { tablesOf } from "../../pipelines/lake/tables.js";
import type { Table } from "../../schemas/tables.js";

/** ImageRewardDB's tables and columns, as tests name them. */

export const TABLE_NAMES = ["images", "prompts", "pairs", "quarantine"] as const;
export type TableName = (typeof TABLE_NAMES)[number];

const tables = new Map(tablesOf(imageRewardDb).map((table) => [table.name, table]));

export const TABLES = Object.fromEntries(TABLE_NAMES.map((name) => [name, tables.get(name)])) as Record<
	TableName,
	Table
>;

/** The nine columns of a row of the JSON; what else a row has is the test's own. */
export type SourceRow = { [Column in ColumnName]: RewardRow[Column] };
type ColumnName = (typeof ROW_COLUMNS)[number];

export const TEXT_COLUMNS = ["image_path", "prompt_id", "prompt", "classification"] as const;
export const INTEGER_COLUMNS = [
	"image_amount_in_total",
	"rank",
	"overall_rating",
	"image_text_alignment_rating",
	"fidelity_rating",
] as const;
export const ROW_COLUMNS = [...TEXT_COLUMNS, ...INTEGER_COLUMNS] as const;

export type MetadataRow = Record<ColumnName, string | number | null>;
