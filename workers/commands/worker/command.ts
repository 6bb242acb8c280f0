import { defineCommand } from "../../command-line/command.js";
import { defaulted } from "../../command-line/option.js";
import { CONCURRENCY, NETWORK, QUEUE, SCRATCH } from "../../command-line/options.js";
import { duration } from "../../command-line/readers.js";

export const workerCommand = () =>
	defineCommand({
		name: "worker",
		summary: "take shards from the queue (REDIS_URL) until told to stop",
		options: {
			...CONCURRENCY,
			grace: defaulted(duration, 20, {
				group: "Run",
				value: "<time>",
				help: "time to finish or hand back its shards when told to stop",
				defaultText: "20s",
			}),
			...SCRATCH,
			...QUEUE,
			...NETWORK,
		},
		examples: ["irlake worker --concurrency 2", "REDIS_URL=redis://queue.example:6379 irlake worker --grace 60"],
		failed: null,
		load: async () => (await import("./run.js")).worker,
	});
