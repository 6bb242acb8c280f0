import type { DatasetExport, ExportAsked } from "../../../dataset.js";
import { layout } from "../layout.js";
import { exportHf } from "./hf.js";
import { exportImageReward } from "./imagereward.js";

/** The sizes up to the one asked for, smallest first, each with its shards; all sizes when none is given. */
function sizesOf({ subset = layout.defaultSubset }: ExportAsked): string[] {
	const train = (size: string): number => layout.subsets[size]?.train ?? 0;
	return Object.keys(layout.subsets).filter((size) => train(size) <= train(subset));
}

const hf: DatasetExport = {
	options: (asked) => ({ pairs: asked.pairs, sizes: sizesOf(asked).join(",") }),
	write: (job, files, { snapshot, asked }) => {
		return exportHf(job, files, { snapshot, pairs: asked.pairs, sizes: sizesOf(asked) });
	},
};

const imagereward: DatasetExport = { options: () => ({}), write: (job) => exportImageReward(job) };

export const exports: Readonly<Record<string, DatasetExport>> = { hf, imagereward };
