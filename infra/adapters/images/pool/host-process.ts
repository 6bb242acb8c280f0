import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import { V8_FLAGS } from "../../../v8-flags.js";
import type { Answer, FromHost, Job, ToHost } from "./messages.js";
import type { HostOptions } from "./options.js";

/** Environment variables that the host inherits: those for finding libraries. A decoder must not see tokens. */
const INHERITED = [
	"PATH",
	"HOME",
	"TMPDIR",
	"LANG",
	"LD_LIBRARY_PATH",
	"LD_PRELOAD",
	"DYLD_LIBRARY_PATH",
	"DYLD_FALLBACK_LIBRARY_PATH",
	"SYSTEMROOT",
];

/** Syncs in flight for each image thread. The file system completes many of them with one write of its journal. */
const SYNCS_PER_THREAD = 32;

/** How a host exited. `hung`: killed here, because it was silent. */
export interface HostExit {
	wasReady: boolean;
	signal: NodeJS.Signals | null;
	code: number | null;
	hung: boolean;
}

interface HostEvents {
	ready(): void;
	answers(answers: Answer[]): void;
	/** Called once. */
	exited(exit: HostExit): void;
	/** A line of its stderr. */
	line(line: string): void;
}

/** One image host, from its start to its end. */
export class HostProcess {
	readonly #child: ChildProcess;
	readonly #silence: number;
	readonly #gone: Promise<void>;
	#timer: NodeJS.Timeout | null = null;
	#hung = false;
	ready = false;

	/** `silence`: milliseconds without an answer, while one is due, after which the host is killed. */
	constructor(options: HostOptions, silence: number, events: HostEvents) {
		this.#silence = silence;
		const env: NodeJS.ProcessEnv = { UV_THREADPOOL_SIZE: String(SYNCS_PER_THREAD * options.threads) };
		for (const name of INHERITED) if (process.env[name] !== undefined) env[name] = process.env[name];
		this.#child = fork(new URL("./host.js", import.meta.url), [JSON.stringify(options)], {
			serialization: "advanced",
			execArgv: ["--expose-gc", ...V8_FLAGS],
			stdio: ["ignore", "ignore", "pipe", "ipc"],
			env,
		});
		if (this.#child.stderr !== null) createInterface(this.#child.stderr).on("line", (line) => events.line(line));
		this.#child.on("message", (message: FromHost) => {
			if ("ready" in message) {
				this.ready = true;
				events.ready();
			} else {
				this.#timer?.refresh();
				events.answers(message.answers);
			}
		});
		this.#gone = new Promise((resolve) => {
			const exited = (code: number | null, signal: NodeJS.Signals | null) => {
				this.expect(false);
				resolve();
				events.exited({ wasReady: this.ready, signal, code, hung: this.#hung });
			};
			// `close` comes after the last message and line. A process that failed to start has no `close`.
			this.#child.once("close", exited);
			this.#child.on("error", () => {
				if (this.#child.pid === undefined) exited(null, null);
			});
		});
		this.expect(true);
	}

	send(jobs: Job[]): void {
		const message: ToHost = { jobs };
		// If the host is gone, `exited` is called.
		this.#child.send(message, () => {});
	}

	/** Says whether an answer is due. */
	expect(due: boolean): void {
		if (!due) {
			if (this.#timer !== null) clearTimeout(this.#timer);
			this.#timer = null;
			return;
		}
		this.#timer ??= setTimeout(() => {
			this.#hung = true;
			this.#child.kill("SIGKILL");
		}, this.#silence);
	}

	/** Kills it; unfinished work is lost. */
	async kill(): Promise<void> {
		this.#child.kill("SIGKILL");
		await this.#gone;
	}
}
