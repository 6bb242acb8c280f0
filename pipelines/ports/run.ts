/** What a run tells, and the time. Adapters under `infra/` implement these. */

/** Progress of a run, as it happens; a terminal draws it, a log writes it. */
export interface Progress {
	/** Told again where a shard begins anew: what was told of it is void, but for what was fetched. */
	shardStarted(shard: string, bytes: number): void;
	/** Bytes of the shard that are here and hashed, wherever they came from. */
	received(shard: string, bytes: number): void;
	/** Bytes that were fetched over the network, told once a download ends. */
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
