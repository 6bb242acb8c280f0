/**
 * Loaded into a command before its own code (`node --import`): its wall clock is wrong, and jumps to and fro, by as many
 * days as `IRLAKE_CLOCK_DAYS` says. Timers and the monotonic clock stay as they are, as they do when somebody sets a
 * machine's clock.
 */

const DAY = 24 * 60 * 60 * 1000;
/** Milliseconds between two jumps. */
const STEADY = 200;

const Right = Date;
const days = Number(process.env.IRLAKE_CLOCK_DAYS ?? "0");

function wrongNow(): number {
	const now = Right.now();
	const ahead = Math.floor(performance.now() / STEADY) % 2 === 0;
	return now + (ahead ? days : -days) * DAY;
}

class Wrong extends Right {
	constructor(...given: [] | [string | number | Date]) {
		if (given.length === 0) super(wrongNow());
		else super(...given);
	}

	static override now(): number {
		return wrongNow();
	}
}

if (days !== 0) globalThis.Date = Wrong as DateConstructor;
