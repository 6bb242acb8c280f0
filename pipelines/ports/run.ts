/** What a run reports, and its clock. */

/** Progress of a run as it happens; a terminal draws it, a log writes it. */
export interface Progress {
	/** Called again when a shard begins again: what was reported of it is then void, except `fetched`. */
	shardStarted(shard: string, bytes: number): void;
	/** Further bytes of the shard that are here and hashed, wherever they came from. */
	received(shard: string, bytes: number): void;
	/** Bytes fetched over the network, reported when a download ends. */
	fetched(bytes: number): void;
	/** How many images the shard has. */
	imagesFound(shard: string, images: number): void;
	imageDone(shard: string): void;
	shardDone(shard: string, state: "done" | "failed" | "skipped"): void;
	note(level: "info" | "warn", message: string, fields?: Record<string, unknown>): void;
}

export interface Clock {
	/** Seconds, monotonic. */
	now(): number;
	sleep(seconds: number, signal: AbortSignal): Promise<void>;
}
