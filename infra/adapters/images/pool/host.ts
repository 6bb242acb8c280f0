/**
 * The image host: the one process that decodes pictures, so that a picture which crashes its decoder ends this process
 * and not the run. It distributes jobs to its threads, and ends with the process that started it.
 */

import { Worker } from "node:worker_threads";
import { Budget } from "./budget.js";
import type { FromHost, FromThread, Job, ToHost } from "./messages.js";
import type { HostOptions, ThreadOptions } from "./options.js";

/** Jobs queued at a thread: enough that it never waits for a message. */
const JOBS_PER_THREAD = 8;

/** Exit code after a thread ended unexpectedly. */
const THREAD_LOST = 70;

interface Thread {
	worker: Worker;
	/** How many more jobs it can take. */
	credit: number;
}

class Host {
	readonly #jobs: Job[] = [];
	readonly #threads: Thread[] = [];

	start(options: HostOptions): void {
		const data: ThreadOptions = { ...options, budget: Budget.memory(options.budgetBytes) };
		for (let i = 0; i < options.threads; i++) {
			const worker = new Worker(new URL("./thread.js", import.meta.url), { workerData: data });
			const thread: Thread = { worker, credit: JOBS_PER_THREAD };
			worker.on("message", (message: FromThread) => {
				if ("started" in message) {
					this.#threads.push(thread);
					if (this.#threads.length === options.threads) send({ ready: true });
					return;
				}
				thread.credit += message.credit;
				this.#distribute();
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
		this.#distribute();
	}

	/** Distributes the jobs to the threads in turn, in one message each, so that few jobs go to different threads. */
	#distribute(): void {
		const batches = this.#threads.map((thread) => ({ thread, jobs: [] as Job[] }));
		for (let given = true; given && this.#jobs.length > 0; ) {
			given = false;
			for (const { thread, jobs } of batches) {
				const job = thread.credit > 0 ? this.#jobs.shift() : undefined;
				if (job === undefined) continue;
				thread.credit -= 1;
				jobs.push(job);
				given = true;
			}
		}
		for (const { thread, jobs } of batches) if (jobs.length > 0) thread.worker.postMessage(jobs);
	}
}

function send(message: FromHost): void {
	// If the pool is gone, `disconnect` ends this process.
	process.send?.(message, undefined, undefined, () => {});
}

/** Immediately, whatever a decoder is doing; nothing here needs an orderly end. */
function end(): void {
	process.kill(process.pid, "SIGKILL");
}

const host = new Host();
// Ctrl-C reaches the whole process group; the parent decides when this process ends.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", end);
process.on("message", (message: ToHost) => host.take(message.jobs));
if (process.connected) host.start(JSON.parse(process.argv[2] as string) as HostOptions);
else end();
