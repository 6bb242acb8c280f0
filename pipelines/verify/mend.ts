import { join } from "node:path";
import { tellRetries } from "../retry.js";
import { mendFiles } from "./mend-files.js";
import { mendObjects } from "./mend-objects.js";
import type { MendOptions, MendTools } from "./mend-tools.js";
import type { Mender } from "./verify.js";

/**
 * Makes damaged objects and tables again from the source, and puts them over what is there once they have the recorded
 * bytes. An object takes the ranges of its image, a table the whole shard. Records are never made by guess.
 */
export function createMender(options: MendOptions, signal: AbortSignal): Mender {
	const { progress, work } = options;
	const tools: MendTools = {
		...options,
		work: join(work, "mend"),
		onRetry: tellRetries((...told) => progress.note(...told)),
		onFetched: (bytes) => progress.fetched(bytes),
	};
	return {
		files: (damaged, snapshots, ended) => mendFiles(damaged, snapshots, tools, ended, signal),
		objects: (damaged, snapshots, ended) => mendObjects(damaged, snapshots, tools, ended, signal),
	};
}
