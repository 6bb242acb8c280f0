import type { Split } from "../schemas/records.js";

/** One dataset of the DiffusionDB kind: zips of images with a JSON each, and a metadata parquet for each split. */
export interface Dataset {
	/** Enters the work id, so that a renamed repository redoes nothing. */
	name: string;
	/** Repository on the Hub, and the names it had before. */
	repo: string;
	formerRepos: string[];
	splits: Split[];
	/** How many shards a split has. */
	shardCount: Record<Split, number>;
	/** Train shards of each subset, by name; the other splits are always whole. */
	subsets: Record<string, number>;
	/** What the dataset's card says, per split (of the largest subset); shown beside what was counted. */
	card: Record<Split, { prompts: string; images: string; pairs: string }>;
	zipPath(shard: string): string;
	/** Folder of an unpacked shard. */
	folderPath(shard: string): string;
	jsonName(shard: string): string;
	metadataPath(split: Split): string;
	/** What `image_path` of the shard's rows starts with. */
	rowPrefix(shard: string): string;
}

/** `train_7` → `train`, 7. */
export function shardParts(shard: string): { split: Split; number: number } {
	const at = shard.lastIndexOf("_");
	return { split: shard.slice(0, at) as Split, number: Number(shard.slice(at + 1)) };
}

/** Every shard of the dataset, in its own order: by split, then number. */
export function allShards(dataset: Dataset): string[] {
	return dataset.splits.flatMap((split) =>
		Array.from({ length: dataset.shardCount[split] }, (_, index) => `${split}_${index + 1}`),
	);
}

/** The shards of a subset: its first train shards, and the other splits whole. */
export function subsetShards(dataset: Dataset, subset: string): string[] {
	const train = dataset.subsets[subset] ?? 0;
	return allShards(dataset).filter((shard) => {
		const { split, number } = shardParts(shard);
		return split !== "train" || number <= train;
	});
}

/** The subset whose shards are exactly these, else `custom`. */
export function subsetOf(dataset: Dataset, shards: string[]): string {
	const present = new Set(shards);
	for (const subset of Object.keys(dataset.subsets)) {
		const wanted = subsetShards(dataset, subset);
		if (wanted.length === present.size && wanted.every((shard) => present.has(shard))) return subset;
	}
	return "custom";
}

/** Sorts shards by the dataset's order. */
export function inDatasetOrder(dataset: Dataset, shards: Iterable<string>): string[] {
	const order = new Map(allShards(dataset).map((shard, index) => [shard, index]));
	return [...shards].sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
}
