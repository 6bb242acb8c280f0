import type { Layout } from "../../../pipelines/dataset.js";
import { shardParts } from "../../../pipelines/shards.js";

const SPLITS = { alpha: 3, beta2: 2 };

/** `alpha_7` → `000007` */
export function digits(number: number): string {
	return String(number).padStart(6, "0");
}

function folderPath(shard: string): string {
	const { split, number } = shardParts(shard);
	return `parts/${split}/part-${digits(number)}`;
}

export const layout: Layout = {
	splits: [
		{ name: "alpha", shards: SPLITS.alpha, metadata: "alpha.parquet" },
		{ name: "beta2", shards: SPLITS.beta2, metadata: "more/beta.parquet" },
	],
	subsets: { first: { alpha: 1, beta2: 1 }, all: SPLITS },
	defaultSubset: "first",
	zipPath: (shard) => `${folderPath(shard)}.zip`,
	folderPath,
	jsonName: (shard) => `part-${digits(shardParts(shard).number)}.json`,
	zipFolders: ["parts"],
	json: "object",
	format: () => "png",
	fileName: {
		pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.png$/,
		shown: "<lower-case uuid>.png",
	},
	rowPrefix: (shard) => `${folderPath(shard)}/`,
	metadata: {
		of: (shard) => ({ column: "part_id", equals: shardParts(shard).number }),
		place: ({ part, image_name }, split) => {
			const shards = SPLITS[split as keyof typeof SPLITS] ?? 0;
			if (typeof part !== "number" || typeof image_name !== "string" || part < 1 || part > shards) return null;
			const shard = `${split}_${part}`;
			return { shard, imagePath: `${folderPath(shard)}/${image_name}` };
		},
	},
};
