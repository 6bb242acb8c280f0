import type { Counters } from "../tools/hub/counters.js";

/**
 * Throws where a byte of a file was sent twice without a good reason: wrong bytes before it, or an answer that ignored
 * the range asked for. Returns how many bodies there were. The Hub counts what it sent; before a reset it waits until
 * all of it has arrived.
 */
export function requireOnce(paths: Counters["paths"]): number {
	let bodies = 0;
	for (const [path, { ranges, spoilt }] of Object.entries(paths)) {
		let due = 0;
		let wrong = false;
		for (const [at, [first, end]] of ranges.entries()) {
			bodies++;
			const anew: boolean = first === 0 && (wrong || spoilt[at] === "ignore-range");
			if (first !== due && !anew) throw new Error(`${path}: ${first} was asked for where ${due} was due, after ${at}`);
			wrong = (wrong && !anew) || spoilt[at] === "wrong-bytes";
			due = end;
		}
	}
	return bodies;
}
