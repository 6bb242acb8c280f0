import { setMaxListeners } from "node:events";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Clock, Progress } from "../../../../pipelines/ports/run.js";
import { Retries, type RetryPolicy, tellRetries } from "../../../../pipelines/retry.js";
import type { LakeError } from "../../../../schemas/errors.js";
import { isTransient, type Place, storeError } from "./errors.js";

/** Seconds between two notes about retries. */
const NOTE_INTERVAL = 10;

export interface RequestOptions {
	/** Let the request finish if the run is interrupted; then it is not retried. */
	finish?: boolean;
	/** Called for each failed attempt that the server may have carried out all the same. */
	onFailure?: () => void;
}

/** Requests to one bucket, retried with jitter where that can help. Nothing else in the store retries. */
export class Requests {
	readonly client: S3Client;
	readonly place: Place;
	readonly #clock: Clock;
	readonly #signal: AbortSignal;
	readonly #policy: RetryPolicy;
	readonly #tell: (error: LakeError, seconds: number) => void;
	#lastNote = Number.NEGATIVE_INFINITY;

	constructor(
		client: S3Client,
		place: Place,
		{ clock, signal, note, retry }: { clock: Clock; signal: AbortSignal; note: Progress["note"]; retry: RetryPolicy },
	) {
		this.client = client;
		this.place = place;
		this.#clock = clock;
		this.#signal = signal;
		this.#policy = retry;
		this.#tell = tellRetries(note);
		// Every request in flight listens to it.
		setMaxListeners(0, signal);
	}

	get signal(): AbortSignal {
		return this.#signal;
	}

	/**
	 * Sends a request with retries. Throws the server's own error where a retry cannot help, LAKE_UNAVAILABLE where none
	 * did, and the signal's reason. `work` passes its signal on to the client.
	 */
	async send<T>(
		path: string,
		work: (signal: AbortSignal | undefined) => Promise<T>,
		{ finish = false, onFailure }: RequestOptions = {},
	): Promise<T> {
		const retries = this.#retries();
		for (;;) {
			if (!finish) this.#signal.throwIfAborted();
			try {
				return await work(finish ? undefined : this.#signal);
			} catch (error) {
				const transient = isTransient(error);
				if (this.#signal.aborted && (transient || !finish)) throw this.#signal.reason;
				if (!transient) throw error;
				onFailure?.();
				await this.#waitOrAbort(() => retries.after(storeError(error, this.place, path)));
			}
		}
	}

	/** Of many requests at once, one notes its retry for all. */
	#retries(): Retries {
		const onRetry = (error: LakeError, seconds: number): void => {
			const now = this.#clock.now();
			if (now - this.#lastNote < NOTE_INTERVAL) return;
			this.#lastNote = now;
			this.#tell(error, seconds);
		};
		return new Retries({ policy: this.#policy, clock: this.#clock, signal: this.#signal, onRetry });
	}

	/** Where the signal cuts the wait short, throws the signal's reason. */
	async #waitOrAbort(wait: () => Promise<void>): Promise<void> {
		try {
			await wait();
		} catch (error) {
			throw this.#signal.aborted ? this.#signal.reason : error;
		}
	}

	/** Runs `work`, and throws its errors as LakeErrors. */
	async guard<T>(path: string, work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			if (this.#signal.aborted && error === this.#signal.reason) throw error;
			throw storeError(error, this.place, path);
		}
	}
}
