/**
 * The image host: the one process in which pictures are decoded, so that a picture which kills its decoder kills this
 * process and not the run. It hands jobs to its threads, and ends when the process that started it does.
 */

import { Worker } from "node:worker_threads";
import { Budget } from "./budget.js";
import type { FromHost, FromThread, HostOptions, Job, ThreadOptions, ToHost } from "./messages.js";

/** Jobs that a thread has at once: one under way, some more so that it never waits for a message. */
const JOBS_A_THREAD = 8;

/** Exit code when a thread ends that should not have. */
const THREAD_LOST = 70;

interface Thread {
	worker: Worker;
	/** How many more jobs it can take. */
	room: number;
}

class Host {
	readonly #jobs: Job[] = [];
	readonly #threads: Thread[] = [];

	start(options: HostOptions): void {
		const data: ThreadOptions = { ...options, budget: Budget.memory(options.budgetBytes) };
		for (let i = 0; i < options.threads; i++) {
			const worker = new Worker(new URL("./thread.js", import.meta.url), { workerData: data });
			const thread: Thread = { worker, room: JOBS_A_THREAD };
			worker.on("message", (message: FromThread) => {
				if ("started" in message) {
					this.#threads.push(thread);
					if (this.#threads.length === options.threads) send({ ready: true });
					return;
				}
				thread.room += message.room;
				this.#deal();
				if (message.answers.length > 0) send({ answers: message.answers });
			});
			worker.on("error", (error) => {
				console.error(error);
				process.exit(THREAD_LOST);
			});
			worker.on("exit", () => process.exit(THREAD_LOST));
		}
	}

	take(jobs: Job[]): void {
		this.#jobs.push(...jobs);
		this.#deal();
	}

	/** Gives the jobs to the threads in turn, one message a thread, so that a few jobs go to different threads. */
	#deal(): void {
		const dealt = this.#threads.map((thread) => ({ thread, jobs: [] as Job[] }));
		for (let given = true; given && this.#jobs.length > 0; ) {
			given = false;
			for (const { thread, jobs } of dealt) {
				const job = thread.room > 0 ? this.#jobs.shift() : undefined;
				if (job === undefined) continue;
				thread.room -= 1;
				jobs.push(job);
				given = true;
			}
		}
		for (const { thread, jobs } of dealt) if (jobs.length > 0) thread.worker.postMessage(jobs);
	}
}

function send(message: FromHost): void {
	// A pool that is gone is no error: `disconnect` ends this process.
	process.send?.(message, undefined, undefined, () => {});
}

/** At once and whatever a decoder is doing; nothing here needs an orderly end. */
function end(): void {
	process.kill(process.pid, "SIGKILL");
}

const host = new Host();
// Ctrl-C on a terminal reaches the whole group; the process that started this one decides when it ends.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", end);
process.on("message", (message: ToHost) => host.take(message.jobs));
if (process.connected) host.start(JSON.parse(process.argv[2] as string) as HostOptions);
else end();
