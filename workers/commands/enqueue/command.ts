import { defineCommand } from "../../command-line/command.js";
import { flag } from "../../command-line/option.js";
import { EXPECT, mirrorOptions, NETWORK, QUEUE } from "../../command-line/options.js";
import type { DatasetHelp } from "../../dataset-help.js";
import { FAILED_RUN } from "../../report/run-document.js";

export const enqueueCommand = (about: DatasetHelp) =>
	defineCommand({
		name: "enqueue",
		summary: "the same mirror, as jobs on the queue (REDIS_URL) for workers to do",
		options: {
			...mirrorOptions(about),
			wait: flag({ group: "Run", help: "follow the run to its end, as mirror does" }),
			...QUEUE,
			...EXPECT,
			...NETWORK,
		},
		examples: [
			`irlake enqueue --subset ${about.smallSubset} --lake /lake`,
			`irlake enqueue --subset ${about.defaultSubset} --lake /lake --wait --expect known.jsonl`,
			"REDIS_URL=rediss://me:secret@queue.example:6380 irlake enqueue --wait",
		],
		failed: FAILED_RUN,
		load: async () => (await import("./run.js")).enqueue,
	});
