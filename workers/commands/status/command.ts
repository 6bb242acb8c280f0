import { defineCommand } from "../../command-line/command.js";
import { flag } from "../../command-line/option.js";
import { LAKE, QUEUE, RETRIES } from "../../command-line/options.js";

export const statusCommand = () =>
	defineCommand({
		name: "status",
		summary: "show the lake's snapshots and counts; with Redis (REDIS_URL) its runs, shards and workers",
		options: {
			...LAKE,
			...QUEUE,
			...RETRIES,
			watch: flag({ group: "Output", help: "refresh every two seconds, until Ctrl-C" }),
		},
		examples: ["irlake status --lake ./lake", "irlake status --watch", "irlake status --json | jq .runs"],
		failed: { lake: null, queue: null, runs: [], rates: null, workers: [], failures: [], schedules: [] },
		load: async () => (await import("./run.js")).status,
	});
