/** What a lane does with one item; it calls `fetched` when the item's bytes are all here. */
type LaneWork<T> = (item: T, signal: AbortSignal, fetched: () => void) => Promise<void>;

/**
 * Runs `work` over the items, at most `width` at once; the first error stops the others and is thrown. The second lane
 * starts when the first one's first item is fetched, and so on: all downloads at once would leave the cores without work
 * for as long as all of them take.
 */
export async function inLanes<T>(items: T[], width: number, signal: AbortSignal, work: LaneWork<T>): Promise<void> {
	const failed = new AbortController();
	const stop = AbortSignal.any([signal, failed.signal]);
	const queue = items.values();
	async function lane(fetched: () => void): Promise<void> {
		for (const item of queue) {
			stop.throwIfAborted();
			await work(item, stop, fetched);
		}
	}
	let before = Promise.resolve();
	const lanes = Array.from({ length: Math.min(width, items.length) }, async () => {
		const turn = before;
		let fetched = (): void => {};
		before = new Promise((resolve) => {
			fetched = resolve;
		});
		await turn;
		try {
			await lane(fetched);
		} catch (error) {
			failed.abort(error);
			throw error;
		} finally {
			fetched();
		}
	});
	await Promise.allSettled(lanes);
	signal.throwIfAborted();
	if (failed.signal.aborted) throw failed.signal.reason;
}
