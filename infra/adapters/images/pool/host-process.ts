import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import { V8_FLAGS } from "../../../v8-flags.js";
import type { Answer, FromHost, HostOptions, Job, ToHost } from "./messages.js";

/** What the host's process gets of the environment: how to find libraries. Tokens are no business of a decoder. */
const PASSED = [
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

/** Objects of one image thread that wait for the disk at once. The file system answers many of them by one write of its journal. */
const SYNCS_A_THREAD = 32;

/** How a host ended. `hung`: it was ended here, for saying nothing. */
export interface HostEnd {
	wasReady: boolean;
	signal: NodeJS.Signals | null;
	code: number | null;
	hung: boolean;
}

export interface HostEvents {
	ready(): void;
	answers(answers: Answer[]): void;
	/** Once. */
	ended(end: HostEnd): void;
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

	/** `silence`: milliseconds without an answer, while one is due, after which the host is ended. */
	constructor(options: HostOptions, silence: number, events: HostEvents) {
		this.#silence = silence;
		const env: NodeJS.ProcessEnv = { UV_THREADPOOL_SIZE: String(SYNCS_A_THREAD * options.threads) };
		for (const name of PASSED) if (process.env[name] !== undefined) env[name] = process.env[name];
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
			const ended = (code: number | null, signal: NodeJS.Signals | null) => {
				this.expect(false);
				resolve();
				events.ended({ wasReady: this.ready, signal, code, hung: this.#hung });
			};
			// `close` comes after the last message and the last line. A process that never was has no `close`.
			this.#child.once("close", ended);
			this.#child.on("error", () => {
				if (this.#child.pid === undefined) ended(null, null);
			});
		});
		this.expect(true);
	}

	send(jobs: Job[]): void {
		const message: ToHost = { jobs };
		// A host that is gone is told by its end.
		this.#child.send(message, () => {});
	}

	/** Whether an answer is due. */
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

	/** Ends it at once; what it had begun is lost. */
	async kill(): Promise<void> {
		this.#child.kill("SIGKILL");
		await this.#gone;
	}
}
