import { defineCommand } from "../../command-line/command.js";
import { flag } from "../../command-line/option.js";
import { LAKE, LAKE_WRITES, NETWORK, SCRATCH, sourceOptions } from "../../command-line/options.js";
import type { DatasetHelp } from "../../dataset-help.js";

export const verifyCommand = (about: DatasetHelp) => {
	const { source, rehash } = sourceOptions(about);
	return defineCommand({
		name: "verify",
		summary: "audit a lake against its own records; --repair makes it whole again",
		options: {
			...LAKE,
			...LAKE_WRITES,
			deep: flag({ group: "Audit", help: "decode every image again" }),
			repair: flag({ group: "Audit", help: "fetch what is damaged from the source again" }),
			source: { ...source, defaultText: "each shard's own" },
			rehash,
			...SCRATCH,
			...NETWORK,
		},
		examples: [
			"irlake verify --lake ./lake",
			"irlake verify --lake ./lake --deep --json",
			"irlake verify --lake ./lake --repair",
			`irlake verify --repair --source ${about.source}`,
		],
		failed: { ok: false, checked: null, problems: [], repaired: [] },
		load: async () => (await import("./run.js")).verify,
	});
};
