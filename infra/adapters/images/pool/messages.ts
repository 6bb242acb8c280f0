/** Messages between the pool, the image host and its threads: plain values, never pixels or image bytes. */

import type { ImageResult, ImageTask } from "../../../../pipelines/ports/images.js";
import type { Settings } from "../../../../schemas/settings.js";
import type { SentError } from "./sent-error.js";

export interface Job {
	id: number;
	task: ImageTask;
	settings: Settings;
	/** Decoded by the arbiter only. */
	careful: boolean;
}

export type Answer = { id: number; result: ImageResult } | { id: number; error: SentError };

/** Pool to host, once that is ready. Its one command-line argument is its HostOptions, as JSON. */
export type ToHost = { jobs: Job[] };

/** Host to pool. */
export type FromHost = { ready: true } | { answers: Answer[] };

/** Host to thread. */
export type ToThread = Job[];

/** Thread to host: `started` once; then answers in any order, and how many more jobs it can take. */
export type FromThread = { started: true } | { answers: Answer[]; credit: number };
