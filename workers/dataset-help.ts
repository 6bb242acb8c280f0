import type { Dataset } from "../pipelines/dataset.js";

/** What the command line's help says of a dataset. */
export interface DatasetHelp {
	/** As its readers call it. */
	title: string;
	/** Where it is on the Hub. */
	source: string;
	/** A downloaded copy, in examples. */
	folder: string;
	subsets: readonly string[];
	smallSubset: string;
	defaultSubset: string;
	splits: readonly string[];
	/** A list of shards, in examples. */
	someShards: string;
	fewShards: string;
	/** Predicates, in examples: by a rating, by a text, and one for whole groups. */
	predicate: string;
	textPredicate: string;
	groupPredicate: string;
	/** What it can be exported as. */
	exports: readonly string[];
}

/** The subset that is meant where none is asked for: the largest. */
export function defaultSubset({ subsets }: Dataset): string {
	return Object.keys(subsets).at(-1) ?? "";
}

export function datasetHelp(dataset: Dataset): DatasetHelp {
	const [first = ""] = dataset.splits;
	const last = dataset.splits.at(-1) ?? "";
	const [, name = ""] = dataset.repo.split("/");
	return {
		title: name,
		source: `hf://${dataset.repo}`,
		folder: `file:///data/${name}`,
		subsets: Object.keys(dataset.subsets),
		smallSubset: Object.keys(dataset.subsets).at(0) ?? "",
		defaultSubset: defaultSubset(dataset),
		splits: dataset.splits,
		someShards: `${first}_1,${first}_7-9`,
		fewShards: `${last}_1,${last}_2`,
		predicate: "overall_rating >= 6",
		textPredicate: "classification = 'People'",
		groupPredicate: "rank = 1",
		exports: ["hf", "webdataset", "imagereward", "files"],
	};
}
