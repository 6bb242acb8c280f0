import { join } from "node:path";
import { tellRetries } from "../retry.js";
import { mendFiles } from "./mend-files.js";
import { mendObjects } from "./mend-objects.js";
import type { MendOptions, MendTools } from "./mend-tools.js";
import type { Mender } from "./verify.js";

/**
 * Makes damaged objects and tables again from the source, and replaces them once they have the recorded bytes. An object
 * needs the ranges of its image, a table the whole shard. Records are never guessed.
 */
export function createMender(options: MendOptions, signal: AbortSignal): Mender {
	const { progress, work } = options;
	const tools: MendTools = {
		...options,
		signal,
		work: join(work, "mend"),
		onRetry: tellRetries((...told) => progress.note(...told)),
		onFetched: (bytes) => progress.fetched(bytes),
	};
	return {
		files: (damaged, snapshots, onOutcome) => mendFiles(damaged, snapshots, tools, onOutcome),
		objects: (damaged, snapshots, onOutcome) => mendObjects(damaged, snapshots, tools, onOutcome),
	};
}
