/** An image thread: decodes two pictures at a time, while the objects of those before them are written. */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { ObjectStage } from "../../../../pipelines/ports/store.js";
import { FolderStage } from "../../store/folder/stage.js";
import { ScratchStage } from "../../store/s3/scratch-stage.js";
import { Decoder } from "../decode.js";
import { Judge } from "../judge.js";
import { Budget } from "./budget.js";
import { type Answer, type FromThread, type Job, sendError, type ThreadOptions, type ToThread } from "./messages.js";

/** Objects being written at once, beside the pictures being decoded. */
const MAX_STAGING = 64;
/** A larger object is written before the next picture is read, so that few large ones are held. */
const OVERLAPPED_BYTES = 1024 * 1024;
/** Jobs done that are told to the host in one message, unless there are no others. */
const TOLD_AT_ONCE = 4;

class ImageThread {
	readonly #port: MessagePort;
	/** One for each of the pictures that are decoded together. */
	readonly #judges: readonly [Judge, Judge];
	readonly #stage: ObjectStage | null;
	readonly #waiting: Job[] = [];
	readonly #staging = new Set<Promise<void>>();
	#working = false;
	/** Not yet told to the host: answers, and jobs that made room. */
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
			await Promise.all(jobs.map((job, i) => this.#perform(job, this.#judges[i] as Judge)));
			this.#done += jobs.length;
			if (this.#done >= TOLD_AT_ONCE || this.#waiting.length === 0) this.#tell();
			while (this.#staging.size >= MAX_STAGING) {
				this.#tell();
				await Promise.race(this.#staging);
			}
			// Decoding blocks the thread: between two pictures the event loop gets its turn, for writes and messages.
			await new Promise(setImmediate);
		}
		this.#working = false;
		if (this.#staging.size === 0) this.#tell();
	}

	/** Two jobs where that many wait; but one at a time where pictures are encoded, which takes the decoder's memory for longer. */
	#next(): Job[] {
		const two = this.#waiting.slice(0, 2);
		return this.#waiting.splice(0, two.every(({ settings }) => settings.image === "passthrough") ? 2 : 1);
	}

	async #perform(job: Job, judge: Judge): Promise<void> {
		try {
			const { result, object } = await judge.judge(job.task, job.settings, job.careful);
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
		if (!this.#working && this.#staging.size === 0) this.#tell();
	}

	/** One message for several pictures: each costs the host's and the pool's event loop about as much as it says. */
	#tell(): void {
		if (this.#answers.length === 0 && this.#done === 0) return;
		const message: FromThread = { answers: this.#answers, room: this.#done };
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
