import { defineCommand } from "../../command-line/command.js";
import { LAKE, LAKE_WRITES, RETRIES, SCRATCH } from "../../command-line/options.js";

export const rollbackCommand = () =>
	defineCommand({
		name: "rollback",
		summary: "publish a new snapshot with the content of snapshot N",
		arguments: [{ name: "number", help: "the snapshot's number" }],
		options: { ...LAKE, ...LAKE_WRITES, ...SCRATCH, ...RETRIES },
		examples: ["irlake rollback 3 --lake ./lake"],
		failed: { state: "failed", snapshot: null, number: null, counts: null },
		load: async () => (await import("./run.js")).rollback,
	});
