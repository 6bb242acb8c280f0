import type { Card } from "../../../pipelines/dataset.js";

export const card: Card = {
	figures: [{ heading: "specimens", counts: ["rows_published"] }],
	said: { alpha: ["30"], beta2: ["20"] },
	countExported: () => ({}),
	examples: {
		someShards: "alpha_1,beta2_1-2",
		fewShards: "alpha_1",
		predicate: "weight > 0.5",
		textPredicate: "style = 'ink'",
		groupPredicate: "seed = 1",
	},
};
