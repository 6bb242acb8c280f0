/** Limits the bytes in flight, in call order. A single piece may exceed the limit when nothing else is in flight. */
export class ByteLimit {
	readonly #maxBytes: number;
	readonly #waiting: { bytes: number; start: () => void }[] = [];
	#inFlight = 0;

	constructor(maxBytes: number) {
		this.#maxBytes = maxBytes;
	}

	async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
		if (this.#waiting.length > 0 || !this.#fits(bytes)) {
			await new Promise<void>((start) => this.#waiting.push({ bytes, start }));
		} else {
			this.#inFlight += bytes;
		}
		try {
			return await work();
		} finally {
			this.#inFlight -= bytes;
			this.#startWaiting();
		}
	}

	#fits(bytes: number): boolean {
		return this.#inFlight === 0 || this.#inFlight + bytes <= this.#maxBytes;
	}

	#startWaiting(): void {
		for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
			this.#waiting.shift();
			this.#inFlight += next.bytes;
			next.start();
		}
	}
}
