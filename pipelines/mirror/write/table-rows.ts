import type { SourceRow } from "../../../schemas/row.js";
import type { PromptImage, TableRow } from "../../../schemas/tables.js";
import { byCodePoint } from "../../text.js";
import type { GoodRow, Settled, ShardTables } from "../check/verdict.js";

/** Turns the verdict on a shard into table rows, in the order that the contract gives each table. */
export function tableRows(settled: Settled): ShardTables {
	const groups = groupByPrompt(settled);
	const rows: ShardTables["rows"] = {
		images: settled.good.map(imageRow),
		prompts: [],
		pairs: [],
		quarantine: settled.findings.map(({ place: _, ...finding }) => finding),
	};
	let ties = 0;
	for (const { first, good } of groups) {
		const pairs = strictPairs(good);
		const tied = (good.length * (good.length - 1)) / 2 - pairs.length;
		ties += tied;
		rows.prompts.push(promptRow(first, good, pairs, tied));
		for (const pair of pairs) rows.pairs.push(pairRow(first, pair));
	}
	return { rows, prompts: groups.length, pairs: rows.pairs.length, ties };
}

interface Group {
	/** The prompt's first row in the JSON, good or not. */
	first: SourceRow;
	good: GoodRow[];
}

/** Prompts with at least one good image, by first appearance. Never by position: a missing row must shift nothing. */
function groupByPrompt(settled: Settled): Group[] {
	const groups = new Map<string, Group>();
	for (const { row } of settled.rows) {
		if (!groups.has(row.prompt_id)) groups.set(row.prompt_id, { first: row, good: [] });
	}
	for (const good of settled.good) groups.get(good.row.prompt_id)?.good.push(good);
	return [...groups.values()].filter((group) => group.good.length > 0);
}

/** File name without `.webp`. */
function imageId(good: GoodRow): string {
	return good.member.slice(0, good.member.lastIndexOf("."));
}

function imageRow(good: GoodRow): TableRow {
	const { row, image, source } = good;
	return {
		image_id: imageId(good),
		image_path: row.image_path,
		prompt_id: row.prompt_id,
		prompt: row.prompt,
		classification: row.classification,
		image_amount_in_total: row.image_amount_in_total,
		rank: row.rank,
		...ratings(row),
		...image,
		source_sha256: source.sha256,
		source_bytes: source.bytes,
		crc32: source.crc32,
		warnings: good.warnings,
	};
}

function ratings(
	row: SourceRow,
): Pick<PromptImage, "overall_rating" | "image_text_alignment_rating" | "fidelity_rating"> {
	const { overall_rating, image_text_alignment_rating, fidelity_rating } = row;
	return { overall_rating, image_text_alignment_rating, fidelity_rating };
}

interface Pair {
	better: GoodRow;
	worse: GoodRow;
}

/** Every strictly ordered pair (smaller rank is better), by better and worse path. */
function strictPairs(good: GoodRow[]): Pair[] {
	const byPath = [...good].sort((a, b) => byCodePoint(a.row.image_path, b.row.image_path));
	return byPath.flatMap((better) =>
		byPath.filter((worse) => better.row.rank < worse.row.rank).map((worse) => ({ better, worse })),
	);
}

function promptRow(first: SourceRow, good: GoodRow[], pairs: Pair[], ties: number): TableRow {
	const images = [...good].sort((a, b) => a.row.rank - b.row.rank || byCodePoint(a.row.image_path, b.row.image_path));
	const inversions = pairs.filter(({ better, worse }) => better.row.overall_rating < worse.row.overall_rating);
	return {
		prompt_id: first.prompt_id,
		prompt: first.prompt,
		classification: first.classification,
		images: images.map((one) => ({
			image_id: imageId(one),
			object_key: one.image.object_key,
			rank: one.row.rank,
			...ratings(one.row),
		})),
		image_count: good.length,
		expected_count: first.image_amount_in_total,
		pair_count: pairs.length,
		tie_count: ties,
		inversion_count: inversions.length,
	};
}

function pairRow(first: SourceRow, { better, worse }: Pair): TableRow {
	return {
		prompt_id: first.prompt_id,
		prompt: first.prompt,
		classification: first.classification,
		...pairSide("better", better),
		...pairSide("worse", worse),
	};
}

function pairSide(side: "better" | "worse", good: GoodRow): TableRow {
	return {
		[`${side}_image_id`]: imageId(good),
		[`${side}_image_path`]: good.row.image_path,
		[`${side}_object_key`]: good.image.object_key,
		[`${side}_rank`]: good.row.rank,
		[`${side}_overall_rating`]: good.row.overall_rating,
		[`${side}_image_text_alignment_rating`]: good.row.image_text_alignment_rating,
		[`${side}_fidelity_rating`]: good.row.fidelity_rating,
	};
}
