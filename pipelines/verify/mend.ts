import { join } from "node:path";
import type { Dataset } from "../dataset.js";
import type { ArchiveReader } from "../ports/archive.js";
import type { ImagePool } from "../ports/images.js";
import type { Clock, Progress } from "../ports/run.js";
import type { Source } from "../ports/source.js";
import type { Store } from "../ports/store.js";
import type { Predicate, TableFiles } from "../ports/tables.js";
import type { RetryPolicy } from "../retry.js";
import { tellRetries } from "../retry.js";
import { mendFiles } from "./mend-files.js";
import { mendObjects } from "./mend-objects.js";
import type { Mender } from "./verify.js";

export interface MendOptions {
	dataset: Dataset;
	store: Store;
	tables: TableFiles;
	archives: ArchiveReader;
	progress: Progress;
	clock: Clock;
	retry: RetryPolicy;
	scratch: string;
	/** This run's own folder. */
	work: string;
	/** Where `images` stages good images. */
	staged: string;
	/** Opens the pool on the first call. */
	images(): Promise<ImagePool>;
	/** Names and versions of this release's encoders. */
	codec(): Promise<string>;
	/** Reads a predicate. */
	openPredicate(where: string): Promise<Predicate>;
	/** The source that a snapshot names, at a commit, or its replacement. */
	sourceOf(uri: string, commit: string | null): Promise<Source>;
}

export interface MendTools extends MendOptions {
	signal: AbortSignal;
	onRetry: ReturnType<typeof tellRetries>;
	onFetched(bytes: number): void;
}

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
