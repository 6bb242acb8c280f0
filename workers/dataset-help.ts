import type { Dataset, Examples } from "../pipelines/dataset.js";
import { splitNames } from "../pipelines/splits.js";

/** What the command line's help says of a dataset. */
export interface DatasetHelp extends Examples {
	/** As its readers call it. */
	title: string;
	/** Where it is on the Hub. */
	source: string;
	/** A downloaded copy. */
	folder: string;
	subsets: readonly string[];
	smallSubset: string;
	defaultSubset: string;
	splits: readonly string[];
	/** What it can be exported as. */
	exports: readonly string[];
	/** Names of the datasets that this program knows. */
	datasets: readonly string[];
}

/** @param datasets those that this program knows; most is said of the first */
export function datasetHelp(datasets: readonly [Dataset, ...Dataset[]]): DatasetHelp {
	const [dataset] = datasets;
	const { layout, title, card, repo } = dataset;
	const subsets = Object.keys(layout.subsets);
	return {
		title,
		source: `hf://${repo}`,
		folder: `file:///data/${title}`,
		subsets,
		smallSubset: subsets[0] ?? "",
		defaultSubset: layout.defaultSubset,
		splits: splitNames(dataset),
		exports: exportNames(dataset),
		datasets: datasets.map(({ name }) => name),
		...card.examples,
	};
}

/** The formats there are: the dataset's own, and the core's. */
export function exportNames({ exports }: Dataset): string[] {
	return [...Object.keys(exports), "webdataset", "files"];
}
