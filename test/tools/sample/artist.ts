import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { PictureSpec } from "./picture.js";

interface Job {
	spec: PictureSpec;
	resolve: (webp: Buffer) => void;
	reject: (error: unknown) => void;
}

/** Draws pictures in threads, one a core, started as they are needed. */
export class Artist {
	/** How many pictures are worth having under way at once. */
	readonly width = availableParallelism() * 2;
	#idle: Worker[] = [];
	#workers: Worker[] = [];
	#queue: Job[] = [];

	draw(spec: PictureSpec): Promise<Buffer> {
		return new Promise((resolve, reject) => {
			this.#queue.push({ spec, resolve, reject });
			this.#next();
		});
	}

	async close(): Promise<void> {
		await Promise.all(this.#workers.map((worker) => worker.terminate()));
	}

	#next(): void {
		const worker = this.#idle.pop() ?? this.#start();
		if (!worker) return;
		const job = this.#queue.shift();
		if (!job) {
			this.#idle.push(worker);
			return;
		}
		const done = (finish: () => void) => {
			// One by one: the thread's port listens through listeners of its own.
			worker.off("message", drawn);
			worker.off("error", failed);
			this.#idle.push(worker);
			finish();
			this.#next();
		};
		const drawn = (webp: Uint8Array<ArrayBuffer>) => done(() => job.resolve(Buffer.from(webp.buffer)));
		const failed = (error: unknown) => done(() => job.reject(error));
		worker.on("message", drawn);
		worker.on("error", failed);
		worker.postMessage(job.spec);
	}

	/** A new thread, or null when there is one for each core or nothing to do. */
	#start(): Worker | null {
		if (this.#workers.length >= availableParallelism() || this.#queue.length === 0) return null;
		const worker = new Worker(new URL("./picture-worker.js", import.meta.url));
		this.#workers.push(worker);
		return worker;
	}
}
