/**
 * Runs `work` on every item, at most `width` at once, started in the items' order. The first error stops the rest: no
 * further item is started, and the signal passed to `work` fires. The error is thrown when all started items have
 * ended. An abort of `signal` acts the same way, and its reason is thrown.
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
