import type { ExportRecord } from "../../../../schemas/export.js";
import type { ImageRow, Prompt, ShardRows } from "../../../export/job.js";

/** Prompts and pairs of a shard. Plain data in, plain data out. */

/**
 * Groups rows by `prompt_id`, prompts by first appearance. The dataset's former loader counted consecutive rows up to
 * `image_amount_in_total` instead, so one missing row shifted every later group.
 */
export function promptsOf(rows: ImageRow[]): Prompt[] {
	const found = new Map<string, Prompt>();
	for (const row of rows) {
		const prompt = found.get(row.prompt_id);
		if (prompt) prompt.images.push(row);
		else {
			const { prompt_id, prompt: text, classification } = row;
			found.set(prompt_id, { prompt_id, prompt: text, classification, images: [row] });
		}
	}
	return [...found.values()];
}

export interface Pair {
	prompt: Prompt;
	better: ImageRow;
	worse: ImageRow;
}

/** The strictly ordered pairs of a prompt, in the former loader's order: each image with every later one. Ties are left out. */
export function pairsOf(prompt: Prompt): Pair[] {
	const { images } = prompt;
	return images.flatMap((one, at) =>
		images.slice(at + 1).flatMap((other) => {
			if (one.rank === other.rank) return [];
			const [better, worse] = one.rank < other.rank ? [one, other] : [other, one];
			return [{ prompt, better, worse }];
		}),
	);
}

/** Adds a shard's figures to `counts`. */
export function countShard(counts: ExportRecord["counts"], { rows, prompts }: ShardRows): void {
	counts.images += rows.length;
	counts.prompts += prompts.length;
	for (const prompt of prompts) {
		const pairs = pairsOf(prompt).length;
		const size = prompt.images.length;
		counts.pairs += pairs;
		counts.ties += (size * (size - 1)) / 2 - pairs;
	}
}
