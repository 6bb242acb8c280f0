import type { ImageRow } from "../../../ports/exports.js";
import type { RewardRow } from "../row.js";

/** Prompts and pairs of a shard. Pure. */

/** One good image of the lake, with its row in this dataset's own columns. */
export type RewardImage = ImageRow & RewardRow;

/** One prompt of a shard with its good images, in the order of the shard's JSON. */
export interface Prompt {
	prompt_id: string;
	/** Taken from its first good image, like `classification`. */
	prompt: string;
	classification: string;
	images: RewardImage[];
}

/**
 * Groups rows by `prompt_id`, prompts by first appearance. The dataset's former loader counted consecutive rows up to
 * `image_amount_in_total` instead, so one missing row shifted every later group.
 */
export function promptsOf(rows: readonly ImageRow[]): Prompt[] {
	const found = new Map<string, Prompt>();
	for (const row of rows as readonly RewardImage[]) {
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
	better: RewardImage;
	worse: RewardImage;
}

/**
 * The strictly ordered pairs of a prompt, in the former loader's order: each image with every later one. Ties are left
 * out.
 */
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
