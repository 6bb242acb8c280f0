import { type Dataset, shardParts } from "../../dataset.js";

/** `train_7` → `images/train/train_7`. */
function folderPath(shard: string): string {
	return `images/${shardParts(shard).split}/${shard}`;
}

/** ImageRewardDB, as it stands on the Hub: 36 shards in three splits. */
export const imageRewardDb: Dataset = {
	name: "imagereward-db",
	repo: "zai-org/ImageRewardDB",
	formerRepos: ["THUDM/ImageRewardDB"],
	splits: ["train", "validation", "test"],
	shardCount: { train: 32, validation: 2, test: 2 },
	subsets: { "1k": 4, "2k": 8, "4k": 16, "8k": 32 },
	card: {
		train: { prompts: "8K", images: "49.9K", pairs: "141.1K" },
		validation: { prompts: "412", images: "2.6K", pairs: "7.32K" },
		test: { prompts: "466", images: "2.7K", pairs: "7.23K" },
	},
	zipPath: (shard) => `${folderPath(shard)}.zip`,
	folderPath,
	jsonName: (shard) => `${shard}.json`,
	metadataPath: (split) => `metadata-${split}.parquet`,
	rowPrefix: (shard) => `${folderPath(shard)}/`,
};
