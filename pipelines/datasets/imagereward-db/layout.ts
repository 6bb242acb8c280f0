import type { Layout } from "../../dataset.js";
import { shardParts } from "../../shards.js";

/** `train_7` → `images/train/train_7`. */
function folderPath(shard: string): string {
	return `images/${shardParts(shard).split}/${shard}`;
}

const SPLITS = { train: 32, validation: 2, test: 2 };

/** The first train shards; the other splits are always whole. */
function subset(train: number): Record<string, number> {
	return { ...SPLITS, train };
}

const shardNames = new Map(
	Object.entries(SPLITS).map(([split, shards]) => {
		return [split, new Set(Array.from({ length: shards }, (_, at) => `${split}_${at + 1}`))];
	}),
);

/** ImageRewardDB, as it stands on the Hub: 36 shards in three splits. */
export const layout: Layout = {
	splits: Object.entries(SPLITS).map(([name, shards]) => ({ name, shards, metadata: `metadata-${name}.parquet` })),
	subsets: { "1k": subset(4), "2k": subset(8), "4k": subset(16), "8k": subset(32) },
	defaultSubset: "8k",
	zipPath: (shard) => `${folderPath(shard)}.zip`,
	folderPath,
	jsonName: (shard) => `${shard}.json`,
	zipFolders: ["images"],
	json: "array",
	format: () => "webp",
	fileName: {
		pattern: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.webp$/,
		shown: "<lower-case uuid>.webp",
	},
	rowPrefix: (shard) => `${folderPath(shard)}/`,
	metadata: {
		of: (shard) => ({ column: "image_path", startsWith: `${folderPath(shard)}/` }),
		place: ({ image_path }, split) => {
			if (typeof image_path !== "string") return null;
			const [images, inSplit, shard = "", name, ...more] = image_path.split("/");
			const isPlaced = images === "images" && inSplit === split && name !== undefined && more.length === 0;
			return isPlaced && shardNames.get(split)?.has(shard) ? { shard, imagePath: image_path } : null;
		},
	},
};
