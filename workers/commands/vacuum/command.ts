import { defineCommand } from "../../command-line/command.js";
import { defaulted, flag } from "../../command-line/option.js";
import { LAKE, LAKE_WRITES, RETRIES, SCRATCH } from "../../command-line/options.js";
import { duration, whole } from "../../command-line/readers.js";

const DAY = 86400;

export const vacuumCommand = () =>
	defineCommand({
		name: "vacuum",
		summary: "delete what no retained snapshot needs: marks it now, deletes it a grace time later",
		options: {
			...LAKE,
			...LAKE_WRITES,
			keep: defaulted(whole({ least: 1, most: 1_000_000 }), 7, {
				group: "Retention",
				value: "<n>",
				help: "how many of the newest snapshots stay whole",
			}),
			keep_days: defaulted(whole({ least: 0, most: 36500 }), 0, {
				group: "Retention",
				value: "<n>",
				help: "snapshots of the last n days stay too",
			}),
			grace: defaulted(duration, DAY, {
				group: "Retention",
				value: "<time>",
				help: "from mark to deletion, such as 24h, 30m or 7d",
				defaultText: "24h",
			}),
			yes: flag({ group: "Retention", help: "do it; without this, only show what would be done" }),
			...SCRATCH,
			...RETRIES,
		},
		examples: [
			"irlake vacuum --lake ./lake",
			"irlake vacuum --lake ./lake --keep 3 --keep-days 30 --yes",
			"irlake mirror --lake s3://b/lake; irlake vacuum --lake s3://b/lake --yes",
		],
		failed: {
			mode: "failed",
			kept: [],
			given_up: [],
			deleted: null,
			marked: null,
			waiting: null,
			due: null,
			unfinished: 0,
			grace_seconds: null,
		},
		load: async () => (await import("./run.js")).vacuum,
	});
