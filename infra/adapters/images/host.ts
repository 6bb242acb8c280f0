/**
 * The image host: the one process in which pictures are decoded, so that a picture which kills its decoder kills this
 * process and not the run. It hands jobs to its threads, and ends when the process that started it does.
 */

import { Worker } from "node:worker_threads";
import { Budget } from "./budget.js";
import type { Answer, FromHost, FromThread, HostOptions, Job, ThreadOptions, ToHost } from "./messages.js";

/** Jobs that a thread has or waits for: one under way, one more so that it never waits for a message. */
const JOBS_A_THREAD = 2;

/** Exit code when a thread ends that should not have. */
const THREAD_LOST = 70;

class Host {
	readonly #jobs: Job[] = [];
	readonly #workers: Worker[] = [];
	/** Threads that can take a job, each as often as it can. */
	readonly #idle: Worker[] = [];
	#answers: Answer[] = [];

	start(options: HostOptions): void {
		const data: ThreadOptions = { ...options, budget: Budget.memory(options.budgetBytes) };
		for (let i = 0; i < options.threads; i++) {
			const worker = new Worker(new URL("./thread.js", import.meta.url), { workerData: data });
			worker.on("message", (message: FromThread) => {
				if ("answer" in message) return this.#answer(message.answer);
				if ("next" in message) return this.#offer(worker);
				this.#workers.push(worker);
				if (this.#workers.length < options.threads) return;
				// In turn, so that the first jobs go to different threads.
				for (let job = 0; job < JOBS_A_THREAD; job++) this.#idle.push(...this.#workers);
				send({ ready: true, decoder: message.started });
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
		while (this.#jobs.length > 0 && this.#idle.length > 0) this.#offer(this.#idle.shift() as Worker);
	}

	#offer(worker: Worker): void {
		const job = this.#jobs.shift();
		if (job === undefined) this.#idle.push(worker);
		else worker.postMessage(job);
	}

	/** Answers of one turn of the event loop go in one message. */
	#answer(answer: Answer): void {
		this.#answers.push(answer);
		if (this.#answers.length > 1) return;
		setImmediate(() => {
			const answers = this.#answers;
			this.#answers = [];
			send({ answers });
		});
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
