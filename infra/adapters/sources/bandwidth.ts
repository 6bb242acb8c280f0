import type { Clock } from "../../../pipelines/ports/run.js";

/** Seconds' worth of bytes that may come at once after a silence. */
const BURST = 0.25;

/** One limit over all downloads of a run: whoever takes bytes waits until all that were taken before are paid for. */
export class Bandwidth {
	/** When, by the clock, everything taken is paid for. */
	private paid = Number.NEGATIVE_INFINITY;

	constructor(
		private readonly bytesPerSecond: number,
		private readonly clock: Clock,
	) {}

	async take(bytes: number, signal: AbortSignal): Promise<void> {
		const now = this.clock.now();
		this.paid = Math.max(this.paid, now - BURST) + bytes / this.bytesPerSecond;
		if (this.paid > now) await this.clock.sleep(this.paid - now, signal);
	}
}
