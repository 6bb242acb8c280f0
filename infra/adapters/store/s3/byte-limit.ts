/** Lets work in while the bytes under way stay below a limit; one piece always, however large. In the order of the calls. */
export class Gate {
	readonly #most: number;
	readonly #waiting: { bytes: number; enter: () => void }[] = [];
	#inside = 0;

	constructor(mostBytes: number) {
		this.#most = mostBytes;
	}

	async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
		if (this.#waiting.length > 0 || !this.#fits(bytes)) {
			await new Promise<void>((enter) => this.#waiting.push({ bytes, enter }));
		} else {
			this.#inside += bytes;
		}
		try {
			return await work();
		} finally {
			this.#inside -= bytes;
			this.#letIn();
		}
	}

	#fits(bytes: number): boolean {
		return this.#inside === 0 || this.#inside + bytes <= this.#most;
	}

	#letIn(): void {
		for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
			this.#waiting.shift();
			this.#inside += next.bytes;
			next.enter();
		}
	}
}
