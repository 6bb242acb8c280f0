import type { Dataset } from "./dataset.js";
import type { ShardFiles } from "./ports/archive.js";

/** Names of shards and subsets, by a dataset's layout. */

/** `split_7` → `split`, 7. */
export function shardParts(shard: string): { split: string; number: number } {
	const at = shard.lastIndexOf("_");
	return { split: shard.slice(0, at), number: Number(shard.slice(at + 1)) };
}

/** What a shard's own files are called. */
export function shardFiles({ layout }: Dataset, shard: string): ShardFiles {
	const [zip, folder] = [layout.zipPath(shard), layout.folderPath(shard)].map((path) =>
		path.slice(path.lastIndexOf("/") + 1),
	);
	return { zip: zip ?? "", folder: folder ?? "", json: layout.jsonName(shard), format: layout.format(shard) };
}

/** Every shard of the dataset, in its own order: by split, then number. */
export function allShards({ layout }: Dataset): string[] {
	return layout.splits.flatMap(({ name, shards }) => Array.from({ length: shards }, (_, at) => `${name}_${at + 1}`));
}

/** The shards of a subset. */
export function subsetShards(dataset: Dataset, subset: string): string[] {
	const first = dataset.layout.subsets[subset] ?? {};
	return allShards(dataset).filter((shard) => {
		const { split, number } = shardParts(shard);
		return number <= (first[split] ?? 0);
	});
}

/** The subset whose shards are exactly these, else `custom`. */
export function subsetOf(dataset: Dataset, shards: string[]): string {
	const present = new Set(shards);
	for (const subset of Object.keys(dataset.layout.subsets)) {
		const wanted = subsetShards(dataset, subset);
		if (wanted.length === present.size && wanted.every((shard) => present.has(shard))) return subset;
	}
	return "custom";
}

/** Sorts shards by the dataset's order. */
export function inDatasetOrder({ layout }: Dataset, shards: Iterable<string>): string[] {
	const order = new Map(layout.splits.map(({ name }, at) => [name, at]));
	const place = (shard: string): number => order.get(shardParts(shard).split) ?? order.size;
	return [...shards].sort((a, b) => place(a) - place(b) || shardParts(a).number - shardParts(b).number);
}
