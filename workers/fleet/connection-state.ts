import type { Logger } from "pino";

/** Says once that the queue's server is gone, and once that it is back. */
export function tellState(log: Logger): (state: "down" | "up", where: string) => void {
	return (state, where) => {
		if (state === "down") log.warn({ where }, `Redis at ${where} cannot be reached: waiting for it`);
		else log.info({ where }, `Redis at ${where} is back`);
	};
}
