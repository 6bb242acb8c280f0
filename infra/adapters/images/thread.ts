/** An image thread: decodes one picture at a time, while the objects of those before it are written. */

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { ObjectStage } from "../../../pipelines/ports.js";
import { FolderStage } from "../store/folder-stage.js";
import { ScratchStage } from "../store/scratch-stage.js";
import { Budget } from "./budget.js";
import { loadFastDecoder } from "./decode.js";
import { Judge } from "./judge.js";
import { type FromThread, type Job, sendError, type ThreadOptions, type ToThread } from "./messages.js";

/** Objects being written at once, beside the picture being decoded. */
const MAX_STAGING = 12;
/** A larger object is written before the next picture is read, so that few large ones are held. */
const OVERLAPPED_BYTES = 1024 * 1024;

class ImageThread {
	readonly #port: MessagePort;
	readonly #judge: Judge;
	readonly #stage: ObjectStage | null;
	readonly #waiting: Job[] = [];
	readonly #staging = new Set<Promise<void>>();
	#working = false;

	constructor(port: MessagePort, judge: Judge, stage: ObjectStage | null) {
		this.#port = port;
		this.#judge = judge;
		this.#stage = stage;
	}

	take(job: Job): void {
		this.#waiting.push(job);
		if (!this.#working) void this.#work();
	}

	async #work(): Promise<void> {
		this.#working = true;
		for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) {
			await this.#perform(job);
			while (this.#staging.size >= MAX_STAGING) await Promise.race(this.#staging);
			this.#send({ next: true });
			// Decoding blocks the thread: between two pictures the event loop gets its turn, for writes and messages.
			await new Promise(setImmediate);
		}
		this.#working = false;
	}

	async #perform(job: Job): Promise<void> {
		try {
			const { result, object } = await this.#judge.judge(job.task, job.settings, job.careful);
			if (object === null || this.#stage === null) return this.#send({ answer: { id: job.id, result } });
			const { key, content } = object;
			const staged = this.#stage.stage(key, content).then(
				() => this.#send({ answer: { id: job.id, result } }),
				(error: unknown) => this.#fail(job, error),
			);
			this.#staging.add(staged);
			const done = staged.finally(() => this.#staging.delete(staged));
			if (content.length > OVERLAPPED_BYTES) await done;
		} catch (error) {
			this.#fail(job, error);
		}
	}

	#fail(job: Job, error: unknown): void {
		this.#send({ answer: { id: job.id, error: sendError(error) } });
	}

	#send(message: FromThread): void {
		this.#port.postMessage(message);
	}
}

/** Joins the pool of the host that started this thread. */
async function main(port: MessagePort, options: ThreadOptions): Promise<void> {
	const fast = await loadFastDecoder(options.decoder, options.libwebp);
	const judge = new Judge(fast, new Budget(options.budget, options.budgetBytes));
	const Stage = options.stage?.kind === "scratch" ? ScratchStage : FolderStage;
	const stage = options.stage === null ? null : new Stage(options.stage.folder);
	const thread = new ImageThread(port, judge, stage);
	port.on("message", (job: ToThread) => thread.take(job));
	const started: FromThread = { started: fast?.name ?? "arbiter" };
	port.postMessage(started);
}

if (parentPort !== null) await main(parentPort, workerData as ThreadOptions);
