/** Which snapshots stay. */

export interface Retention {
	/** How many of the newest snapshots stay. */
	keep: number;
	/** Younger snapshots stay as well. In milliseconds. */
	keepYounger: number;
	/** How long after its mark a file is deleted; files that nothing names yet are not marked before that age. In milliseconds. */
	grace: number;
}

/**
 * The oldest snapshot that stays, like every later one.
 * @param latest the number in `latest.json`
 * @param modified when the record of each number was written
 */
export function oldestKept(
	latest: number,
	modified: Map<number, number>,
	{ keep, keepYounger }: Retention,
	now: number,
): number {
	let oldest = Math.max(1, latest - keep + 1);
	for (const [number, time] of modified) if (number < oldest && now - time < keepYounger) oldest = number;
	return oldest;
}
