import { setMaxListeners } from "node:events";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Clock, Progress } from "../../../../pipelines/ports/run.js";
import { Retries, type RetryPolicy, tellRetries } from "../../../../pipelines/retry.js";
import type { LakeError } from "../../../../schemas/errors.js";
import { isTransient, type Place, storeError } from "./errors.js";

/** Seconds between two notes about requests that are tried again. */
const NOTE_EVERY = 10;

export interface CallOptions {
	/** A request that is let finish when the run is interrupted; it is not tried again then. */
	finish?: boolean;
	/** Told of each attempt that failed and may yet have been carried out by the server. */
	failed?: () => void;
}

/** Requests to one bucket, tried again with jitter where that can help. The one place where anything is tried again. */
export class Calls {
	readonly client: S3Client;
	readonly place: Place;
	readonly #clock: Clock;
	readonly #signal: AbortSignal;
	readonly #policy: RetryPolicy;
	readonly #tell: (error: LakeError, seconds: number) => void;
	#told = Number.NEGATIVE_INFINITY;

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
		// Every request under way listens to it.
		setMaxListeners(0, signal);
	}

	get signal(): AbortSignal {
		return this.#signal;
	}

	/**
	 * Throws the server's own error where another try cannot help, LAKE_UNAVAILABLE where none did, and the signal's
	 * reason. `work` passes the signal it is given on to the client.
	 */
	async call<T>(
		path: string,
		work: (signal: AbortSignal | undefined) => Promise<T>,
		{ finish = false, failed }: CallOptions = {},
	): Promise<T> {
		const retries = this.#retries();
		for (;;) {
			if (!finish) this.#signal.throwIfAborted();
			try {
				return await work(finish ? undefined : this.#signal);
			} catch (error) {
				const passing = isTransient(error);
				if (this.#signal.aborted && (passing || !finish)) throw this.#signal.reason;
				if (!passing) throw error;
				failed?.();
				await this.#reasoned(() => retries.after(storeError(error, this.place, path)));
			}
		}
	}

	/** With many requests at once, one of them tells for all. */
	#retries(): Retries {
		const onRetry = (error: LakeError, seconds: number): void => {
			const now = this.#clock.now();
			if (now - this.#told < NOTE_EVERY) return;
			this.#told = now;
			this.#tell(error, seconds);
		};
		return new Retries({ policy: this.#policy, clock: this.#clock, signal: this.#signal, onRetry });
	}

	/** A wait that is cut short by the signal ends with the signal's reason. */
	async #reasoned(wait: () => Promise<void>): Promise<void> {
		try {
			await wait();
		} catch (error) {
			throw this.#signal.aborted ? this.#signal.reason : error;
		}
	}

	/** Runs `work`, and tells what it throws in our own words. */
	async guard<T>(path: string, work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			if (this.#signal.aborted && error === this.#signal.reason) throw error;
			throw storeError(error, this.place, path);
		}
	}
}
