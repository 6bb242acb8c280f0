import type { Card } from "../../dataset.js";
import { pairsOf, promptsOf } from "./exports/pairs.js";

/** The figures of the largest subset on the dataset's card, to compare with those counted here. */
export const card: Card = {
	figures: [
		{ heading: "prompts", counts: ["prompts"] },
		{ heading: "images", counts: ["rows_published"] },
		// The card counts a tie as a pair.
		{ heading: "pairs+ties", counts: ["pairs", "ties"] },
	],
	said: {
		train: ["8K", "49.9K", "141.1K"],
		validation: ["412", "2.6K", "7.32K"],
		test: ["466", "2.7K", "7.23K"],
	},
	countExported(rows) {
		const counts = { prompts: 0, pairs: 0, ties: 0 };
		for (const prompt of promptsOf(rows)) {
			const pairs = pairsOf(prompt).length;
			const size = prompt.images.length;
			counts.prompts += 1;
			counts.pairs += pairs;
			counts.ties += (size * (size - 1)) / 2 - pairs;
		}
		return counts;
	},
	examples: {
		someShards: "train_1,train_7-9",
		fewShards: "test_1,test_2",
		predicate: "overall_rating >= 6",
		textPredicate: "classification = 'People'",
		groupPredicate: "rank = 1",
	},
};
