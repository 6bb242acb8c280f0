/** Things that several jobs of one worker use at once, by key: opened for the first, kept a while for the next. */

interface Entry<T> {
	opened: Promise<T>;
	users: number;
	/** What was begun when the last user left; the next one waits for it. */
	resting: Promise<void>;
}

/** Keeps the last idle entry open; opening another evicts it. */
export class Shared<T> {
	readonly #entries = new Map<string, Entry<T>>();
	readonly #close: (value: T) => Promise<void>;
	readonly #rest: (value: T) => Promise<void>;

	/** @param rest runs when the value becomes idle, and ends before it is used again */
	constructor(close: (value: T) => Promise<void>, rest: (value: T) => Promise<void> = async () => {}) {
		this.#close = close;
		this.#rest = rest;
	}

	/**
	 * Runs `work` with the value of the key, opened where it is not. What cannot be opened is tried anew the next time.
	 */
	async use<R>(key: string, open: () => Promise<T>, work: (value: T) => Promise<R>): Promise<R> {
		let entry = this.#entries.get(key);
		if (!entry) {
			entry = { opened: open(), users: 0, resting: Promise.resolve() };
			this.#entries.set(key, entry);
			entry.opened.catch(() => this.#entries.delete(key));
			await this.#closeIdle(key);
		}
		entry.users += 1;
		try {
			await entry.resting;
			return await work(await entry.opened);
		} finally {
			entry.users -= 1;
			if (entry.users === 0) entry.resting = this.#letRest(entry);
		}
	}

	async closeAll(): Promise<void> {
		await this.#closeIdle(null);
	}

	async #letRest({ opened }: Entry<T>): Promise<void> {
		const value = await opened.catch(() => null);
		if (value !== null) await this.#rest(value).catch(() => {});
	}

	async #closeIdle(but: string | null): Promise<void> {
		for (const [key, entry] of [...this.#entries]) {
			if (key === but || entry.users > 0) continue;
			this.#entries.delete(key);
			await entry.resting;
			const value = await entry.opened.catch(() => null);
			if (value !== null) await this.#close(value).catch(() => {});
		}
	}
}
