import { type CommandFamily, defineCommand } from "../../command-line/command.js";
import { optional } from "../../command-line/option.js";
import { mirrorOptions, QUEUE } from "../../command-line/options.js";
import { text } from "../../command-line/readers.js";
import type { DatasetHelp } from "../../dataset-help.js";

const failed = { state: "failed", schedules: [] };

export const scheduleCommands = (about: DatasetHelp): CommandFamily => ({
	name: "schedule",
	summary: "recurring mirrors, done by the queue's workers",
	commands: [setCommand(about), listCommand(), removeCommand()],
});

const setCommand = (about: DatasetHelp) =>
	defineCommand({
		name: "set",
		summary: "mirror at recurring times; setting it again changes nothing",
		arguments: [{ name: "name", help: "what to call it" }],
		options: {
			/** Five fields, or six with seconds first. */
			cron: optional(text, {
				group: "Schedule",
				value: "<pattern>",
				help: "when: minute, hour, day, month, weekday",
			}),
			tz: optional(text, {
				group: "Schedule",
				value: "<zone>",
				help: "time zone of --cron, such as Europe/Berlin",
				defaultText: "UTC",
			}),
			...mirrorOptions(about),
			...QUEUE,
		},
		examples: ["irlake schedule set nightly --cron '0 3 * * *' --tz Europe/Berlin --lake /lake"],
		failed,
		load: async () => (await import("./run.js")).scheduleSet,
	});

const listCommand = () =>
	defineCommand({
		name: "list",
		summary: "show the schedules",
		options: QUEUE,
		examples: ["irlake schedule list"],
		failed,
		load: async () => (await import("./run.js")).scheduleList,
	});

const removeCommand = () =>
	defineCommand({
		name: "remove",
		summary: "end a schedule",
		arguments: [{ name: "name", help: "the schedule" }],
		options: QUEUE,
		examples: ["irlake schedule remove nightly"],
		failed,
		load: async () => (await import("./run.js")).scheduleRemove,
	});
