import type { Dataset } from "../dataset.js";
import type { MetadataTools } from "../mirror/plan/read-metadata.js";
import type { ArchiveReader } from "../ports/archive.js";
import type { ImagePool } from "../ports/images.js";
import type { Clock, Progress } from "../ports/run.js";
import type { Source } from "../ports/source.js";
import type { Content, Reader } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import type { RetryPolicy, tellRetries } from "../retry.js";

/** What repairs of damaged files and objects need. */

export interface MendOptions {
	dataset: Dataset;
	store: Reader & Content;
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
	openPredicate: MetadataTools["openPredicate"];
	/** The source that a snapshot names, at a commit, or its replacement. */
	sourceOf(uri: string, commit: string | null): Promise<Source>;
}

export interface MendTools extends MendOptions {
	signal: AbortSignal;
	onRetry: ReturnType<typeof tellRetries>;
	onFetched(bytes: number): void;
}
