import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../pipelines/ports/run.js";

/** The machine's own clock; monotonic, so that a jump of the wall clock changes nothing. */
export const systemClock: Clock = {
	now: () => performance.now() / 1000,
	sleep: async (seconds, signal) => {
		await wait(seconds * 1000, undefined, { signal });
	},
};
