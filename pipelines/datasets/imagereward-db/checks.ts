import type { Checks, Remark } from "../../dataset.js";
import { RATING_COLUMNS, type RewardRow } from "./row.js";

/** RATING_RANGE, PROMPT_CONFLICT and GROUP_COUNT: oddities of ImageRewardDB rows that are well formed. */

function aboutRow(row: RewardRow): Remark[] {
	const outside = RATING_COLUMNS.filter((column) => row[column] < 1 || row[column] > 7);
	if (outside.length === 0) return [];
	const values = outside.map((column) => `${column} ${row[column]}`).join(", ");
	return [{ code: "RATING_RANGE", detail: `outside 1–7: ${values}` }];
}

/** At most one finding: where a prompt's rows contradict each other, no count of them can be called wrong. */
function aboutPrompt(rows: readonly RewardRow[], images: number): Remark[] {
	const columns = (["prompt", "classification", "image_amount_in_total"] as const).filter(
		(column) => new Set(rows.map((row) => row[column])).size > 1,
	);
	if (columns.length > 0) return [{ code: "PROMPT_CONFLICT", detail: `its rows differ in ${columns.join(", ")}` }];
	const expected = rows[0]?.image_amount_in_total;
	if (expected === undefined || images === expected) return [];
	return [{ code: "GROUP_COUNT", detail: `${images} rows in the JSON, image_amount_in_total says ${expected}` }];
}

// The core hands over rows of this dataset's own columns.
export const checks: Checks = {
	row: (row) => aboutRow(row as RewardRow),
	group: (rows, images) => aboutPrompt(rows as readonly RewardRow[], images),
};
