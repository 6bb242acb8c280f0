import { type Column, columns, type TableRow } from "../../../schemas/tables.js";
import type { DatasetTables, GoodImage, GoodShard } from "../../dataset.js";
import { byCodePoint } from "../../text.js";
import { RATING_COLUMNS, type RewardRow } from "./row.js";

/** `prompts` and `pairs`: a shard's good images in the form that trains a reward model. */

const RANK_COLUMNS = ["rank", ...RATING_COLUMNS] as const;
const SIDES = ["better", "worse"] as const;

function sideColumns(side: (typeof SIDES)[number]): Column[] {
	return [
		...columns("text", `${side}_image_id`, `${side}_image_path`, `${side}_object_key`),
		...columns("byte", ...RANK_COLUMNS.map((name) => `${side}_${name}`)),
	];
}

const PROMPT_IMAGE = [...columns("text", "image_id", "object_key"), ...columns("byte", ...RANK_COLUMNS)];

export const tables: DatasetTables = {
	list: [
		{
			name: "prompts",
			columns: [
				...columns("text", "prompt_id", "prompt", "classification"),
				{ name: "images", type: { list: PROMPT_IMAGE } },
				...columns("integer", "image_count", "expected_count", "pair_count", "tie_count", "inversion_count"),
			],
			key: ["prompt_id"],
		},
		{
			name: "pairs",
			columns: [...columns("text", "prompt_id", "prompt", "classification"), ...SIDES.flatMap(sideColumns)],
			key: ["better_image_path", "worse_image_path"],
		},
	],
	counts: ["prompts", "pairs", "ties"],
	make: makeTables,
};

/** An image whose row has this dataset's own columns. */
type Good = GoodImage & { row: RewardRow };

function makeTables(shard: GoodShard): ReturnType<DatasetTables["make"]> {
	const rows: Record<"prompts" | "pairs", TableRow[]> = { prompts: [], pairs: [] };
	let ties = 0;
	for (const { first, good } of groupByPrompt(shard)) {
		const pairs = strictPairs(good);
		const tied = (good.length * (good.length - 1)) / 2 - pairs.length;
		ties += tied;
		rows.prompts.push(promptRow(first, good, pairs, tied));
		for (const pair of pairs) rows.pairs.push(pairRow(first, pair));
	}
	return { rows, counts: { prompts: rows.prompts.length, pairs: rows.pairs.length, ties } };
}

interface Group {
	/** The prompt's first row in the JSON, good or not. */
	first: RewardRow;
	good: Good[];
}

/**
 * Prompts with at least one good image, by first appearance; never by position, since a missing row must shift nothing.
 */
function groupByPrompt({ rows, images }: GoodShard): Group[] {
	const groups = new Map<string, Group>();
	for (const row of rows as readonly RewardRow[]) {
		if (!groups.has(row.prompt_id)) groups.set(row.prompt_id, { first: row, good: [] });
	}
	for (const good of images as readonly Good[]) groups.get(good.row.prompt_id)?.good.push(good);
	return [...groups.values()].filter((group) => group.good.length > 0);
}

interface Pair {
	better: Good;
	worse: Good;
}

/** Every strictly ordered pair (a smaller rank is better), sorted by the better image's path, then the worse one's. */
function strictPairs(good: Good[]): Pair[] {
	const byPath = [...good].sort((a, b) => byCodePoint(a.row.image_path, b.row.image_path));
	return byPath.flatMap((better) =>
		byPath.filter((worse) => better.row.rank < worse.row.rank).map((worse) => ({ better, worse })),
	);
}

function promptRow(first: RewardRow, good: Good[], pairs: Pair[], ties: number): TableRow {
	const images = [...good].sort((a, b) => a.row.rank - b.row.rank || byCodePoint(a.row.image_path, b.row.image_path));
	const inversions = pairs.filter(({ better, worse }) => better.row.overall_rating < worse.row.overall_rating);
	return {
		prompt_id: first.prompt_id,
		prompt: first.prompt,
		classification: first.classification,
		images: images.map(({ id, row, image }) => ({ image_id: id, object_key: image.object_key, ...ranks(row) })),
		image_count: good.length,
		expected_count: first.image_amount_in_total,
		pair_count: pairs.length,
		tie_count: ties,
		inversion_count: inversions.length,
	};
}

function ranks(row: RewardRow, prefix = ""): Record<string, number> {
	return Object.fromEntries(RANK_COLUMNS.map((name) => [`${prefix}${name}`, row[name]]));
}

function pairRow(first: RewardRow, { better, worse }: Pair): TableRow {
	return {
		prompt_id: first.prompt_id,
		prompt: first.prompt,
		classification: first.classification,
		...pairSide("better", better),
		...pairSide("worse", worse),
	};
}

function pairSide(side: (typeof SIDES)[number], { id, row, image }: Good): TableRow {
	return {
		[`${side}_image_id`]: id,
		[`${side}_image_path`]: row.image_path,
		[`${side}_object_key`]: image.object_key,
		...ranks(row, `${side}_`),
	};
}
