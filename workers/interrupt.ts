/**
 * Ctrl-C or SIGTERM once: the run stops at the next safe point and says how to go on. Twice: it ends at once.
 * The exit code follows the signal: 130 or 143.
 */
export class Interrupted extends Error {
	readonly signalName: "SIGINT" | "SIGTERM";

	constructor(signalName: "SIGINT" | "SIGTERM") {
		super(`interrupted by ${signalName}`);
		this.signalName = signalName;
		this.name = "Interrupted";
	}

	get exitCode(): 130 | 143 {
		return this.signalName === "SIGINT" ? 130 : 143;
	}
}

/** An abort signal that the process's signals fire. */
export function listenForInterrupt(onFirst: (name: string) => void): AbortSignal {
	const controller = new AbortController();
	for (const name of ["SIGINT", "SIGTERM"] as const) {
		process.on(name, () => {
			if (controller.signal.aborted) process.exit(new Interrupted(name).exitCode);
			onFirst(name);
			controller.abort(new Interrupted(name));
		});
	}
	return controller.signal;
}
