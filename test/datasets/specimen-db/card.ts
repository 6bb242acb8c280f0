import type { Card } from "../../../pipelines/dataset.js";

export const card: Card = {
	figures: [{ heading: "specimens", counts: ["rows_published"] }],
	said: { alpha: ["30"], beta2: ["20"] },
	countExported: () => ({}),
	help: { subsets: "first or all", splits: "alpha or beta2", shards: "alpha_1,beta2_1-2", where: "weight > 0.5" },
};
