import type { Dataset } from "../../../pipelines/dataset.js";

/** What the suite must know of a dataset to hold it to the contract. */

/** What a mirror of one shard must come to. */
export interface ExpectedShard {
	findings: Record<string, number>;
	/** As far as they are told beforehand. */
	counts: Record<string, number>;
}

/** A predicate, and the same in SQL over the source's metadata: what it must choose is counted by that. */
export interface Chosen {
	where: string;
	metadata: string;
}

export interface Subject {
	dataset: Dataset;
	/** Of a source without defects; two or more. */
	shards: readonly string[];
	/** Writes it into a new folder. */
	clean(folder: string, layout: "zip" | "unpacked"): Promise<void>;
	/** Writes the same with something changed in one shard, and tells how many rows differ then. */
	changed(folder: string): Promise<{ added: number; removed: number; changed: number }>;
	/** Writes a source with every defect that the sample can have. */
	planted(folder: string): Promise<Record<string, ExpectedShard>>;
	/** A predicate that a person would write, and one that chooses so few images that a zip is read by parts. */
	some: Chosen;
	few: Chosen;
	/** Aggregates that must be the same over `images` and over the metadata. */
	sums: readonly { lake: string; metadata: string }[];
	/** SQL that is true of a row of `images` (as `lake`) and its row of the metadata (as `metadata`) when their cells are the same. */
	sameRow: string;
	/** SQL over the metadata: the image path of a row. */
	imagePath(split: string): string;
	/** Names of what the dataset itself can be exported as. */
	exports: readonly string[];
}
