import type { Progress } from "../../pipelines/ports/run.js";
import type { ShardProgress, WorkerInfo } from "../../schemas/jobs.js";

/** Counts what a worker does: each shard's progress for those who follow the run, and rates over the last seconds. */

const WINDOW_SECONDS = 10;
const TELL_MS = 1000;

interface Sample {
	at: number;
	bytes: number;
	images: number;
}

export class Meter {
	#bytes = 0;
	#images = 0;
	readonly #samples: Sample[] = [{ at: performance.now(), bytes: 0, images: 0 }];
	readonly #shards = new Map<object, WorkerInfo["shards"][number]>();

	get shards(): WorkerInfo["shards"] {
		return [...this.#shards.values()];
	}

	/** Per second, over the last ten. */
	rates(): Pick<WorkerInfo, "bytes_per_second" | "images_per_second"> {
		const now = { at: performance.now(), bytes: this.#bytes, images: this.#images };
		this.#samples.push(now);
		while (this.#samples.length > 2 && now.at - (this.#samples[1]?.at ?? 0) > WINDOW_SECONDS * 1000)
			this.#samples.shift();
		const [first = now] = this.#samples;
		const seconds = Math.max(0.001, (now.at - first.at) / 1000);
		return {
			bytes_per_second: Math.round((now.bytes - first.bytes) / seconds),
			images_per_second: Math.round((10 * (now.images - first.images)) / seconds) / 10,
		};
	}

	/** Progress of one shard, told to the queue once a second at most. End it with `end`. */
	shard(
		about: WorkerInfo["shards"][number],
		worker: string,
		note: Progress["note"],
		tell: (progress: ShardProgress) => Promise<void>,
	): { progress: Progress; told: ShardProgress; end(): Promise<void> } {
		const told: ShardProgress = { bytes: 0, bytes_done: 0, images: 0, images_done: 0, fetched: 0, worker };
		const key = {};
		this.#shards.set(key, about);
		const timer = setInterval(() => void tell({ ...told }), TELL_MS);
		const progress: Progress = {
			shardStarted: (_, bytes) => {
				Object.assign(told, { bytes, bytes_done: 0, images: 0, images_done: 0 });
			},
			fetched: (bytes) => {
				told.fetched += bytes;
			},
			received: (_, bytes) => {
				told.bytes_done += bytes;
				this.#bytes += bytes;
			},
			imagesFound: (_, images) => {
				told.images = images;
			},
			imageDone: () => {
				told.images_done += 1;
				this.#images += 1;
			},
			shardDone: () => {},
			note,
		};
		const end = async (): Promise<void> => {
			clearInterval(timer);
			this.#shards.delete(key);
			await tell({ ...told });
		};
		return { progress, told, end };
	}
}
