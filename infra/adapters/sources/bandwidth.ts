import type { Clock } from "../../../pipelines/ports/run.js";

/** Seconds' worth of bytes that may pass at once after a silence. */
const BURST_SECONDS = 0.25;

/** One rate limit shared by all downloads of a run: a taker waits until the bytes taken before its own are paid for. */
export class Bandwidth {
	readonly #bytesPerSecond: number;
	readonly #clock: Clock;
	/** Clock time at which everything taken so far is paid for. */
	#paidUntil = Number.NEGATIVE_INFINITY;

	constructor(bytesPerSecond: number, clock: Clock) {
		this.#bytesPerSecond = bytesPerSecond;
		this.#clock = clock;
	}

	async take(bytes: number, signal: AbortSignal): Promise<void> {
		const now = this.#clock.now();
		this.#paidUntil = Math.max(this.#paidUntil, now - BURST_SECONDS) + bytes / this.#bytesPerSecond;
		if (this.#paidUntil > now) await this.#clock.sleep(this.#paidUntil - now, signal);
	}
}
