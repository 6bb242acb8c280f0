interface Entry {
	callbacks: Set<() => void>;
	listener: () => void;
}

/** Callbacks for aborting signals, with one listener a signal: Node warns of more than ten. */
export class AbortListeners {
	readonly #entries = new Map<AbortSignal, Entry>();

	/** Calls `callback` if `signal` aborts before the returned function is called. */
	on(signal: AbortSignal, callback: () => void): () => void {
		const entry = this.#entries.get(signal) ?? this.#listen(signal);
		entry.callbacks.add(callback);
		return () => {
			entry.callbacks.delete(callback);
			if (entry.callbacks.size === 0) this.#remove(signal, entry);
		};
	}

	#listen(signal: AbortSignal): Entry {
		const callbacks = new Set<() => void>();
		const listener = () => {
			this.#remove(signal, entry);
			for (const callback of callbacks) callback();
		};
		const entry = { callbacks, listener };
		this.#entries.set(signal, entry);
		signal.addEventListener("abort", listener);
		return entry;
	}

	#remove(signal: AbortSignal, entry: Entry): void {
		signal.removeEventListener("abort", entry.listener);
		if (this.#entries.get(signal) === entry) this.#entries.delete(signal);
	}
}
