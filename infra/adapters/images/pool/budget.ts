const WAITING = 0;
const FREE = 1;

/**
 * A memory budget for all threads of the host, in KiB, kept in shared memory. Each thread has its own object and holds
 * one share at a time: waiting for other threads blocks it, so it could not return another share meanwhile.
 */
export class Budget {
	readonly #state: Int32Array;
	readonly #total: number;
	/** Resolves when this thread returns its share; null if it has none. */
	#held: Promise<void> | null = null;
	#returned: () => void = () => {};

	/** `memory` comes from `Budget.memory`, shared by all threads. */
	constructor(memory: SharedArrayBuffer, totalBytes: number) {
		this.#state = new Int32Array(memory);
		this.#total = kib(totalBytes);
	}

	static memory(totalBytes: number): SharedArrayBuffer {
		const memory = new SharedArrayBuffer(8);
		new Int32Array(memory)[FREE] = kib(totalBytes);
		return memory;
	}

	/**
	 * Waits until `bytes` are free and takes them at once; more than the budget takes all of it. The first waiter keeps the
	 * others out, so that small shares do not starve a large one. Returns the share to pass to `release`.
	 */
	async acquire(bytes: number): Promise<number> {
		while (this.#held !== null) await this.#held;
		this.#held = new Promise((resolve) => {
			this.#returned = resolve;
		});
		const share = Math.min(kib(bytes), this.#total);
		while (Atomics.compareExchange(this.#state, WAITING, 0, 1) !== 0) Atomics.wait(this.#state, WAITING, 1);
		for (;;) {
			const free = Atomics.load(this.#state, FREE);
			if (free < share) Atomics.wait(this.#state, FREE, free);
			else if (Atomics.compareExchange(this.#state, FREE, free, free - share) === free) break;
		}
		Atomics.store(this.#state, WAITING, 0);
		Atomics.notify(this.#state, WAITING, 1);
		return share;
	}

	release(share: number): void {
		Atomics.add(this.#state, FREE, share);
		Atomics.notify(this.#state, FREE);
		this.#held = null;
		this.#returned();
	}
}

function kib(bytes: number): number {
	return Math.ceil(bytes / 1024);
}
