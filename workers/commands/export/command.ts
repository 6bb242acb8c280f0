import { defineCommand } from "../../command-line/command.js";
import { orList } from "../../command-line/nearest.js";
import { defaulted, flag, optional } from "../../command-line/option.js";
import { LAKE, LAKE_WRITES, RETRIES, SCRATCH, wantedOptions } from "../../command-line/options.js";
import { choice, size, text } from "../../command-line/readers.js";
import type { DatasetHelp } from "../../dataset-help.js";

const exportOptions = {
	out: optional(text, {
		group: "Export",
		value: "<where>",
		help: "an empty or new folder, or s3://bucket/prefix",
		path: "folder",
	}),
	snapshot: defaulted(text, "latest", {
		group: "Export",
		value: "<which>",
		help: "a number, a path in the lake, or latest",
		choices: ["latest"],
	}),
	pairs: defaulted(choice(["rows", "embed"]), "rows", {
		group: "Export",
		value: "<mode>",
		help: "for hf: rows names the two rows, embed contains the images",
	}),
	shard_size: defaulted(size, 1e9, {
		group: "Export",
		value: "<size>",
		help: "for webdataset: largest size of a tar",
		defaultText: "1GB",
	}),
	overwrite: flag({ group: "Export", help: "replace another export" }),
};

export const exportCommand = (about: DatasetHelp) => {
	const { subset, ...wanted } = wantedOptions(about);
	return defineCommand({
		name: "export",
		summary: `write a snapshot for other tools: ${orList(about.exports)}`,
		arguments: [{ name: "format", help: orList(about.exports), choices: about.exports }],
		options: {
			subset: { ...subset, defaultText: "all that the snapshot holds" },
			...wanted,
			...LAKE,
			...LAKE_WRITES,
			...exportOptions,
			...SCRATCH,
			...RETRIES,
		},
		examples: [
			"irlake export hf --out ./hub-repo",
			`irlake export hf --out ./test-pairs --pairs embed --split ${about.splits.at(-1)}`,
			"irlake export webdataset --out ./tars --shard-size 500MB",
			`irlake export imagereward --out ./training --subset ${about.smallSubset}`,
			"irlake export files --out ./unpacked --snapshot 1",
		],
		failed: {
			state: "failed",
			export: null,
			out: null,
			snapshot: null,
			number: null,
			shards: [],
			counts: null,
			files: [],
		},
		load: async () => (await import("./run.js")).exportLake,
	});
};
