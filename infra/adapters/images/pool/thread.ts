/** An image thread: decodes two pictures at a time, while objects of earlier ones are written. */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { ObjectStage } from "../../../../pipelines/ports/store.js";
import { FolderStage } from "../../store/folder/stage.js";
import { ScratchStage } from "../../store/s3/scratch-stage.js";
import { Decoder } from "../decode.js";
import { Judge } from "../judge.js";
import { Budget } from "./budget.js";
import type { Answer, FromThread, Job, ToThread } from "./messages.js";
import type { ThreadOptions } from "./options.js";
import { sendError } from "./sent-error.js";

/** Objects being written at once, while pictures are decoded. */
const MAX_STAGING = 64;
/** A larger object is written before the next picture is read, so that few large ones are in memory. */
const OVERLAPPED_BYTES = 1024 * 1024;
/** Finished jobs that are reported to the host in one message, unless no more jobs wait. */
const REPORTED_AT_ONCE = 4;

class ImageThread {
	readonly #port: MessagePort;
	/** One for each of two pictures decoded together. */
	readonly #judges: readonly [Judge, Judge];
	readonly #stage: ObjectStage | null;
	readonly #waiting: Job[] = [];
	readonly #staging = new Set<Promise<void>>();
	#working = false;
	/** Answers that the host has not been sent, and the number of jobs done since the last message. */
	#answers: Answer[] = [];
	#done = 0;

	constructor(port: MessagePort, judges: readonly [Judge, Judge], stage: ObjectStage | null) {
		this.#port = port;
		this.#judges = judges;
		this.#stage = stage;
	}

	take(jobs: Job[]): void {
		this.#waiting.push(...jobs);
		if (!this.#working) void this.#work();
	}

	async #work(): Promise<void> {
		this.#working = true;
		for (let jobs = this.#next(); jobs.length > 0; jobs = this.#next()) {
			await Promise.all(jobs.map((job, i) => this.#run(job, this.#judges[i] as Judge)));
			this.#done += jobs.length;
			if (this.#done >= REPORTED_AT_ONCE || this.#waiting.length === 0) this.#report();
			while (this.#staging.size >= MAX_STAGING) {
				this.#report();
				await Promise.race(this.#staging);
			}
			// Decoding blocks the thread: lets the event loop run between pictures, for writes and messages.
			await new Promise(setImmediate);
		}
		this.#working = false;
		if (this.#staging.size === 0) this.#report();
	}

	/** Two jobs if that many wait; but one at a time where pictures are re-encoded, which holds the decoder's memory longer. */
	#next(): Job[] {
		const two = this.#waiting.slice(0, 2);
		return this.#waiting.splice(0, two.every(({ settings }) => settings.image === "passthrough") ? 2 : 1);
	}

	async #run(job: Job, judge: Judge): Promise<void> {
		try {
			const { result, object } = await judge.judge(job.task, job);
			if (object === null || this.#stage === null) {
				this.#answers.push({ id: job.id, result });
				return;
			}
			const { key, content } = object;
			const staged: Promise<void> = this.#stage.stage(key, content).then(
				() => this.#staged(staged, { id: job.id, result }),
				(error: unknown) => this.#staged(staged, failed(job, error)),
			);
			this.#staging.add(staged);
			if (content.length > OVERLAPPED_BYTES) await staged;
		} catch (error) {
			this.#answers.push(failed(job, error));
		}
	}

	#staged(staged: Promise<void>, answer: Answer): void {
		this.#staging.delete(staged);
		this.#answers.push(answer);
		if (!this.#working && this.#staging.size === 0) this.#report();
	}

	/** One message for several pictures: each message costs the event loops of host and pool. */
	#report(): void {
		if (this.#answers.length === 0 && this.#done === 0) return;
		const message: FromThread = { answers: this.#answers, credit: this.#done };
		this.#answers = [];
		this.#done = 0;
		this.#port.postMessage(message);
	}
}

function failed(job: Job, error: unknown): Answer {
	return { id: job.id, error: sendError(error) };
}

/** Joins the pool of the host that started this thread. */
async function main(port: MessagePort, options: ThreadOptions): Promise<void> {
	const decoder = new Decoder();
	const budget = new Budget(options.budget, options.budgetBytes);
	const Stage = options.stage?.kind === "scratch" ? ScratchStage : FolderStage;
	const stage = options.stage === null ? null : new Stage(options.stage.folder);
	const thread = new ImageThread(port, [new Judge(decoder, budget), new Judge(decoder, budget)], stage);
	port.on("message", (jobs: ToThread) => thread.take(jobs));
	const started: FromThread = { started: true };
	port.postMessage(started);
}

if (parentPort !== null) await main(parentPort, workerData as ThreadOptions);
