import { expect, test } from "@jest/globals";
import {
	pairsOf,
	promptsOf,
	type RewardImage,
} from "../../../../../../pipelines/datasets/imagereward-db/exports/pairs.js";

/** What an export makes of a shard's images: prompts, and pairs as the dataset's former loader gave them. */

const image = (image_id: string, prompt_id: string, rank: number) => ({ image_id, prompt_id, rank }) as RewardImage;

test("a prompt's rows are one group wherever they stand, by first appearance", () => {
	const rows = [image("a", "p", 1), image("b", "q", 1), image("c", "p", 2)];
	expect(promptsOf(rows).map(({ images }) => images.map(({ image_id }) => image_id))).toEqual([["a", "c"], ["b"]]);
});

test("pairs come in the former loader's order, the lower rank first, without ties", () => {
	const rows = [image("a", "p", 2), image("b", "p", 1), image("c", "p", 2), image("d", "p", 3)];
	const pairs = promptsOf(rows).flatMap(pairsOf);
	expect(pairs.map(({ better, worse }) => better.image_id + worse.image_id)).toEqual(["ba", "ad", "bc", "bd", "cd"]);
});
