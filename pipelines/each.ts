/**
 * Runs `work` on every item, at most `width` at once, begun in the items' order. The first error stops the rest: no
 * further item is begun, and the signal that `work` is given fires. It is thrown when all that was begun has ended. So is
 * the reason of `signal`.
 */
export async function each<T>(
	items: Iterable<T>,
	width: number,
	work: (item: T, stop: AbortSignal) => Promise<void>,
	signal?: AbortSignal,
): Promise<void> {
	const failed = new AbortController();
	const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
	const waiting = items[Symbol.iterator]();
	const lane = async (): Promise<void> => {
		try {
			for (let next = waiting.next(); !next.done && !stop.aborted; next = waiting.next()) await work(next.value, stop);
		} catch (error) {
			failed.abort(error);
		}
	};
	await Promise.all(Array.from({ length: width }, lane));
	stop.throwIfAborted();
}
