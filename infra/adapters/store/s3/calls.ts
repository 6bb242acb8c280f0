import { setMaxListeners } from "node:events";
import type { S3Client } from "@aws-sdk/client-s3";
import type { Clock, Progress } from "../../../../pipelines/ports.js";
import { isTransient, type Place, storeError } from "./errors.js";

/** Tries of one request. With the waits below, an outage of 12 to 24 seconds passes unnoticed. */
const ATTEMPTS = 8;
const FIRST_WAIT = 0.25;
const LONGEST_WAIT = 8;
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
	readonly #note: Progress["note"];
	#noted = Number.NEGATIVE_INFINITY;

	constructor(
		client: S3Client,
		place: Place,
		{ clock, signal, note }: { clock: Clock; signal: AbortSignal; note: Progress["note"] },
	) {
		this.client = client;
		this.place = place;
		this.#clock = clock;
		this.#signal = signal;
		this.#note = note;
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
		for (let attempt = 1; ; attempt++) {
			if (!finish) this.#signal.throwIfAborted();
			try {
				return await work(finish ? undefined : this.#signal);
			} catch (error) {
				const passing = isTransient(error);
				if (this.#signal.aborted && (passing || !finish)) throw this.#signal.reason;
				if (!passing) throw error;
				failed?.();
				if (attempt === ATTEMPTS) throw storeError(error, this.place, path);
				this.#tell(error, path);
				const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1));
				await this.#wait(longest * (0.5 + Math.random() / 2));
			}
		}
	}

	async #wait(seconds: number): Promise<void> {
		try {
			await this.#clock.sleep(seconds, this.#signal);
		} catch (error) {
			throw this.#signal.aborted ? this.#signal.reason : error;
		}
	}

	#tell(error: unknown, path: string): void {
		const now = this.#clock.now();
		if (now - this.#noted < NOTE_EVERY) return;
		this.#noted = now;
		this.#note("warn", `${storeError(error, this.place, path).message.replace(" again and again", "")} Trying again.`);
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
