import cliProgress from "cli-progress";
import type { Progress } from "../../pipelines/ports/run.js";
import type { Log } from "../log.js";

/** A run's progress: bars on a terminal, lines in the log elsewhere. */

interface ShardState {
	bytes: number;
	bytesDone: number;
	images: number;
	imagesDone: number;
	bar: cliProgress.SingleBar | null;
}

/** Seconds between two lines in a log. */
const LOG_EVERY = 30;

export interface RunProgress extends Progress {
	/** Bytes that were fetched over the network so far. */
	readonly fetchedBytes: number;
	close(): void;
}

/**
 * @param drawn whether bars are drawn: on a terminal, where no document is asked for
 * @param shards how many shards the run will process
 */
export function openProgress({ log, divert }: Log, drawn: boolean, shards: number): RunProgress {
	const states = new Map<string, ShardState>();
	const bars = drawn ? new Bars(divert) : null;
	const total = bars?.create(
		shards,
		0,
		{ name: label("all"), told: "" },
		{ format: "{name} |{bar}| {value}/{total} shards {told}" },
	);
	const started = performance.now();
	let bytes = 0;
	let fetched = 0;
	let images = 0;
	let done = 0;

	function rates(): string {
		const seconds = Math.max(0.001, (performance.now() - started) / 1000);
		return `${megabytes(bytes)} ${images} images, ${(images / seconds).toFixed(0)}/s`;
	}
	const timer = setInterval(
		() => {
			total?.update(done, { told: rates() });
			if (!bars) log.info({ shards_done: done, shards, bytes, images }, "under way");
		},
		bars ? 500 : LOG_EVERY * 1000,
	);
	timer.unref();

	function draw(shard: string, state: ShardState): void {
		// Downloading is the first half of the bar, images the second: a shard knows its images only once it is here.
		// Of a shard of which only parts are fetched, its bytes are an estimate.
		const downloaded = state.bytes === 0 ? 1 : Math.min(1, state.bytesDone / state.bytes);
		const decoded = state.images === 0 ? 0 : state.imagesDone / state.images;
		const told = state.images === 0 ? megabytes(state.bytesDone) : `${state.imagesDone}/${state.images} images`;
		state.bar?.update(Math.floor(500 * (downloaded + decoded)), { name: label(shard), told });
	}
	return {
		get fetchedBytes() {
			return fetched;
		},
		shardStarted(shard, size) {
			const bar = states.get(shard)?.bar ?? bars?.create(1000, 0, { name: label(shard), told: "" }) ?? null;
			states.set(shard, { bytes: size, bytesDone: 0, images: 0, imagesDone: 0, bar });
			log.debug({ shard, bytes: size }, "shard started");
		},
		fetched(count) {
			fetched += count;
		},
		received(shard, count) {
			bytes += count;
			const state = states.get(shard);
			if (!state) return;
			state.bytesDone += count;
			draw(shard, state);
		},
		imagesFound(shard, count) {
			const state = states.get(shard);
			if (state) state.images = count;
		},
		imageDone(shard) {
			images++;
			const state = states.get(shard);
			if (!state) return;
			state.imagesDone++;
			draw(shard, state);
		},
		shardDone(shard, how) {
			done++;
			const state = states.get(shard);
			if (state?.bar) bars?.remove(state.bar);
			states.delete(shard);
			total?.update(done, { told: rates() });
			if (!bars || how !== "done") log.info({ shard, images: state?.imagesDone ?? 0, state: how }, "shard ended");
		},
		note(level, message, fields) {
			log[level](fields ?? {}, message);
		},
		close() {
			clearInterval(timer);
			bars?.close();
		},
	};
}

/** Bars at the terminal's bottom; log lines are written above them. */
class Bars extends cliProgress.MultiBar {
	#closed = false;
	readonly #divert: Log["divert"];
	readonly #atExit = (): void => this.close();

	constructor(divert: Log["divert"]) {
		super({
			format: "{name} |{bar}| {percentage}% {told}",
			barsize: 20,
			hideCursor: true,
			clearOnComplete: true,
			stream: process.stderr,
			fps: 5,
			gracefulExit: false,
		});
		this.#divert = divert;
		divert((text) => this.log(text));
		// Ended at once, the terminal gets its cursor back all the same.
		process.once("exit", this.#atExit);
	}

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		process.off("exit", this.#atExit);
		// Draws once more: log lines wait for the next drawing.
		this.update();
		this.stop();
		this.#divert(null);
	}
}

/** Names as wide as the longest, `validation_2`. */
function label(name: string): string {
	return name.padEnd(12);
}

function megabytes(bytes: number): string {
	return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
