import type { Clock } from "../../pipelines/ports/run.js";
import type { Store } from "../../pipelines/ports/store.js";
import { systemClock } from "../../workers/clock.js";

/** The number of a call, or what it looks like: `putIfAbsent snapshots/000002-0123456789ab.json`. */
export type Stop = number | RegExp;

/**
 * Lets two runs that share a lake take turns in one process: each stops before the calls of its store that were chosen,
 * and goes on when the other stops, waits, or is over. The same choice, the same interleaving.
 */
export class Baton {
	readonly #runs = new Map<string, { calls: number; stops: Stop[] }>();
	/** What came by, as `vacuum stat latest.json`. */
	readonly seen: string[] = [];
	#holder: string | null = null;
	#waiting: (() => void)[] = [];

	/** @param stops calls before which each run hands over, one after another; the first run begins */
	constructor(runs: [string, Stop[]][]) {
		for (const [name, stops] of runs) this.#runs.set(name, { calls: 0, stops: [...stops] });
		this.#holder = runs[0]?.[0] ?? null;
	}

	/** A store whose every call waits for its run's turn. */
	store<S extends Store>(name: string, store: S): S {
		return new Proxy(store, {
			get: (target, key) => {
				const value: unknown = Reflect.get(target, key, target);
				if (typeof value !== "function" || key === "localPath") return bound(value, target);
				if (key !== "list")
					return (...args: unknown[]) => this.#turn(name, key, args).then(() => value.apply(target, args));
				const turn = (args: unknown[]) => this.#turn(name, key, args);
				return async function* (...args: unknown[]) {
					await turn(args);
					yield* value.apply(target, args);
				};
			},
		});
	}

	/** Whoever sleeps hands over, and no time is lost; with nobody left, it sleeps indeed. */
	clock(name: string): Clock {
		let slept = 0;
		return {
			now: () => performance.now() / 1000 + slept,
			sleep: async (seconds, signal) => {
				if ([...this.#runs.keys()].every((other) => other === name)) return systemClock.sleep(seconds, signal);
				slept += seconds;
				this.#handOver(name);
				await this.#mayRun(name);
			},
		};
	}

	/** Runs `work` as this run, whatever comes of it, to its end. */
	async run<T>(name: string, work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} finally {
			this.#handOver(name);
			this.#runs.delete(name);
		}
	}

	async #turn(name: string, key: string | symbol, [first]: unknown[]): Promise<void> {
		await this.#mayRun(name);
		const run = this.#runs.get(name);
		if (!run) return;
		run.calls += 1;
		const call = `${String(key)} ${[first].flat()[0]}`;
		const [stop] = run.stops;
		if (stop !== undefined && (typeof stop === "number" ? run.calls >= stop : stop.test(call))) {
			run.stops.shift();
			this.#handOver(name);
			await this.#mayRun(name);
		}
		this.seen.push(`${name} ${call}`);
	}

	#handOver(name: string): void {
		if (this.#holder !== name) return;
		this.#holder = [...this.#runs.keys()].find((other) => other !== name) ?? name;
		const woken = this.#waiting;
		this.#waiting = [];
		for (const wake of woken) wake();
	}

	async #mayRun(name: string): Promise<void> {
		while (this.#holder !== name && this.#runs.has(name)) {
			await new Promise<void>((wake) => this.#waiting.push(wake));
		}
	}
}

function bound(value: unknown, target: object): unknown {
	return typeof value === "function" ? value.bind(target) : value;
}
