import type { Dataset } from "./dataset.js";
import { shardParts } from "./shards.js";

/** The names of a dataset's splits, in their order. */
export function splitNames({ layout }: Dataset): string[] {
	return layout.splits.map(({ name }) => name);
}

/** Path of a split's metadata in the source. */
export function metadataPath({ layout }: Dataset, split: string): string {
	return layout.splits.find(({ name }) => name === split)?.metadata ?? "";
}

/** The splits that these shards lie in, in the dataset's order. */
export function splitsOf(dataset: Dataset, shards: string[]): string[] {
	const present = new Set(shards.map((shard) => shardParts(shard).split));
	return splitNames(dataset).filter((split) => present.has(split));
}
