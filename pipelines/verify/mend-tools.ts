import type { Dataset } from "../dataset.js";
import type { MetadataTools } from "../mirror/plan/plan-mirror.js";
import type { ArchiveReader } from "../ports/archive.js";
import type { ImagePool } from "../ports/images.js";
import type { Clock, Progress } from "../ports/run.js";
import type { Source } from "../ports/source.js";
import type { Content, Reader } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import type { RetryPolicy, tellRetries } from "../retry.js";

/** What damaged files and objects are made again with. */

export interface MendOptions {
	dataset: Dataset;
	store: Reader & Content;
	tables: TableFiles;
	archives: ArchiveReader;
	progress: Progress;
	clock: Clock;
	retry: RetryPolicy;
	scratch: string;
	/** Folder of this run's own. */
	work: string;
	/** Where `images` stages what it found good. */
	staged: string;
	/** Opened when it is first needed. */
	images(): Promise<ImagePool>;
	/** Name and version of what re-encodes in this release. */
	codec(): Promise<string>;
	/** Reads a predicate. */
	openPredicate: MetadataTools["openPredicate"];
	/** The source that a snapshot names, at a commit, or the one to use in its stead. */
	sourceOf(uri: string, commit: string | null): Promise<Source>;
}

export interface MendTools extends MendOptions {
	onRetry: ReturnType<typeof tellRetries>;
	onFetched(bytes: number): void;
}
