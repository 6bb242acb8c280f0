interface Waiting {
	acts: Set<() => void>;
	listener: () => void;
}

/** What to do when signals abort, with one listener for each signal: Node warns of more than ten. */
export class Aborts {
	readonly #waiting = new Map<AbortSignal, Waiting>();

	/** Calls `act` if `signal` aborts before the returned function is called. */
	on(signal: AbortSignal, act: () => void): () => void {
		const waiting = this.#waiting.get(signal) ?? this.#listen(signal);
		waiting.acts.add(act);
		return () => {
			waiting.acts.delete(act);
			if (waiting.acts.size === 0) this.#forget(signal, waiting);
		};
	}

	#listen(signal: AbortSignal): Waiting {
		const acts = new Set<() => void>();
		const listener = () => {
			this.#forget(signal, waiting);
			for (const act of acts) act();
		};
		const waiting = { acts, listener };
		this.#waiting.set(signal, waiting);
		signal.addEventListener("abort", listener);
		return waiting;
	}

	#forget(signal: AbortSignal, waiting: Waiting): void {
		signal.removeEventListener("abort", waiting.listener);
		if (this.#waiting.get(signal) === waiting) this.#waiting.delete(signal);
	}
}
