import { defineCommand } from "../../command-line/command.js";
import {
	CONCURRENCY,
	LAKE,
	LAKE_WRITES,
	NETWORK,
	RETRIES,
	SCRATCH,
	sourceOptions,
	wantedOptions,
} from "../../command-line/options.js";
import type { DatasetHelp } from "../../dataset-help.js";

export const doctorCommand = (about: DatasetHelp) =>
	defineCommand({
		name: "doctor",
		summary: "check source, lake, disk, memory and versions, and say how to fix each",
		options: {
			source: sourceOptions(about).source,
			...wantedOptions(about),
			...LAKE,
			...LAKE_WRITES,
			...CONCURRENCY,
			...SCRATCH,
			...RETRIES,
			allow_private_redirects: NETWORK.allow_private_redirects,
		},
		examples: [
			`irlake doctor --subset ${about.smallSubset}`,
			`irlake doctor --source ${about.folder} --lake /lake --json`,
		],
		failed: { ok: false, checks: [] },
		load: async () => (await import("./run.js")).doctor,
	});
