import { defineCommand } from "../../command-line/command.js";
import { defaulted } from "../../command-line/option.js";
import { LAKE, NETWORK, SCRATCH, sourceOptions } from "../../command-line/options.js";
import { whole } from "../../command-line/readers.js";
import type { DatasetHelp } from "../../dataset-help.js";

const sides = ["latest", "source"];

export const diffCommand = (about: DatasetHelp) =>
	defineCommand({
		name: "diff",
		summary: "show what differs between two snapshots, or a snapshot and the source",
		arguments: [
			{ name: "before", help: "a snapshot's number or path, latest, or source", choices: sides },
			{ name: "after", help: "the same", choices: sides },
		],
		options: {
			...sourceOptions(about),
			...LAKE,
			...SCRATCH,
			...NETWORK,
			limit: defaulted(whole({ least: 0, most: 1e9 }), 20, {
				group: "Output",
				value: "<n>",
				help: "how many of each kind to list, 0 for all",
			}),
		},
		examples: [
			"irlake diff 1 latest --lake ./lake",
			`irlake diff latest source --subset ${about.smallSubset} --lake ./lake`,
			`irlake diff source latest --subset ${about.smallSubset} --limit 0 --json`,
		],
		failed: {
			equal: null,
			before: null,
			after: null,
			settings: [],
			shards: [],
			rows: {},
			images: null,
			counts: [],
			findings: [],
			unknown: [],
		},
		load: async () => (await import("./run.js")).diff,
	});
