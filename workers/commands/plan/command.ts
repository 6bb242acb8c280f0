import { defineCommand } from "../../command-line/command.js";
import { CONCURRENCY, EXPECT, mirrorOptions, NETWORK } from "../../command-line/options.js";
import type { DatasetHelp } from "../../dataset-help.js";

export const planCommand = (about: DatasetHelp) =>
	defineCommand({
		name: "plan",
		summary: "show what a mirror would do; writes nothing",
		options: { ...CONCURRENCY, ...mirrorOptions(about), ...EXPECT, ...NETWORK },
		examples: [
			`irlake plan --subset ${about.smallSubset}`,
			`irlake plan --subset ${about.smallSubset} --where '${about.predicate}' --lake ./best`,
			`irlake plan --source ${about.folder} --json`,
		],
		failed: {
			up_to_date: null,
			source: null,
			base: null,
			settings: null,
			shards: [],
			bytes: null,
			seconds: null,
			free_bytes: null,
		},
		load: async () => (await import("./run.js")).plan,
	});
