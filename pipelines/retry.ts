import type { ErrorCode } from "../schemas/codes.js";
import { LakeError } from "../schemas/errors.js";
import type { Clock, Progress } from "./ports/run.js";

/** When an attempt that failed is made again: the one policy of all that is fetched. */
export interface RetryPolicy {
	/** Attempts after the first, in a row and without progress. */
	retries: number;
	/** Seconds before the first of them; doubled with each further one, up to eightfold. */
	wait: number;
}

export const RETRY_POLICY: RetryPolicy = { retries: 5, wait: 1 };

/** Longest time in seconds that the other side's own wish to wait is obeyed without progress. */
const MAX_WAIT = 3600;

interface RetriesOptions {
	/** Default: RETRY_POLICY. */
	policy?: RetryPolicy | undefined;
	/** Of an error that a moment seldom mends, how often it is met by another attempt. */
	seldom?: Partial<Record<ErrorCode, number>>;
	clock: Clock;
	signal: AbortSignal;
	/** An attempt failed; the next one comes after so many seconds. */
	onRetry: (error: LakeError, seconds: number) => void;
}

/** Counts the attempts at one thing. */
export class Retries {
	readonly #options: RetriesOptions;
	readonly #policy: RetryPolicy;
	#failures = 0;
	readonly #met = new Map<ErrorCode, number>();
	#waited = 0;

	constructor(options: RetriesOptions) {
		this.#options = options;
		this.#policy = options.policy ?? RETRY_POLICY;
	}

	/** There was progress, which gives all retries back. */
	renew(): void {
		this.#failures = 0;
		this.#met.clear();
		this.#waited = 0;
	}

	/** Resolves when the next attempt is due. Throws the error where there is none, and the reason of an abort. */
	async after(error: unknown): Promise<void> {
		const { clock, signal, seldom = {}, onRetry } = this.#options;
		signal.throwIfAborted();
		if (!(error instanceof LakeError) || !error.retry) throw error;
		// A wait that the other side asked for is no failure.
		if (error.code !== "HUB_RATE_LIMITED" || !error.waitSeconds) this.#failures++;
		const seconds = error.waitSeconds ?? this.#backoff();
		this.#waited += seconds;
		const met = (this.#met.get(error.code) ?? 0) + 1;
		this.#met.set(error.code, met);
		const over = this.#failures > this.#policy.retries || met > (seldom[error.code] ?? met);
		if (over || this.#waited > MAX_WAIT) throw error;
		onRetry(error, seconds);
		await clock.sleep(seconds, signal);
	}

	/** Up to a quarter more than the policy says, so that workers do not come all at once. */
	#backoff(): number {
		return this.#policy.wait * Math.min(8, 2 ** (this.#failures - 1)) * (1 + Math.random() / 4);
	}
}

/** Says who failed, or asks to wait, and for how long. */
export function tellRetries(
	note: Progress["note"],
	fields: Record<string, unknown> = {},
): (error: LakeError, seconds: number) => void {
	return (error, seconds) => {
		const time = seconds < 1 ? seconds.toFixed(2) : Math.ceil(seconds);
		const known = { ...fields, code: error.code, wait_seconds: seconds };
		note("warn", `${error.message} Trying again in ${time} s.`, known);
	};
}
