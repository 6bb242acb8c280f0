import { type Dataset, splitNames } from "../pipelines/dataset.js";

/** What the command line's help says of a dataset, in examples too. */
export interface DatasetHelp {
	title: string;
	/** Where it is on the Hub. */
	source: string;
	/** A downloaded copy. */
	folder: string;
	subsets: readonly string[];
	smallSubset: string;
	defaultSubset: string;
	splits: readonly string[];
	/** A list of shards with a range in it, and one of two shards. */
	someShards: string;
	fewShards: string;
	/** Predicates: by a number, by a text, and one for whole groups. */
	predicate: string;
	textPredicate: string;
	groupPredicate: string;
	/** What it can be exported as. */
	exports: readonly string[];
}

export function datasetHelp(dataset: Dataset): DatasetHelp {
	const { repo, title, layout, card } = dataset;
	const last = layout.splits.at(-1)?.name ?? "";
	const subsets = Object.keys(layout.subsets);
	return {
		title,
		source: `hf://${repo}`,
		folder: `file:///data/${repo.slice(repo.indexOf("/") + 1)}`,
		subsets,
		smallSubset: subsets.at(0) ?? "",
		defaultSubset: layout.defaultSubset,
		splits: splitNames(dataset),
		someShards: card.help.shards,
		fewShards: `${last}_1,${last}_2`,
		predicate: card.help.where,
		textPredicate: card.help.whereText,
		groupPredicate: card.help.whereGroup,
		exports: exportNames(dataset),
	};
}

/** The formats there are: the dataset's own, and the core's. */
export function exportNames({ exports }: Dataset): string[] {
	return [...Object.keys(exports), "webdataset", "files"];
}
