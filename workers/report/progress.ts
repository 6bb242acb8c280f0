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
	return new ShownProgress(log, drawn ? new Bars(divert) : null, shards);
}

class ShownProgress implements RunProgress {
	fetchedBytes = 0;
	readonly #log: Log["log"];
	readonly #bars: Bars | null;
	readonly #total: cliProgress.SingleBar | null;
	readonly #timer: NodeJS.Timeout;
	readonly #states = new Map<string, ShardState>();
	readonly #started = performance.now();
	#bytes = 0;
	#images = 0;
	#done = 0;

	constructor(log: Log["log"], bars: Bars | null, shards: number) {
		this.#log = log;
		this.#bars = bars;
		const format = "{name} |{bar}| {value}/{total} shards {told}";
		this.#total = bars?.create(shards, 0, { name: label("all"), told: "" }, { format }) ?? null;
		const tell = (): void => {
			this.#total?.update(this.#done, { told: this.#rates() });
			const counts = { shards_done: this.#done, shards, bytes: this.#bytes, images: this.#images };
			if (!bars) log.info(counts, "under way");
		};
		this.#timer = setInterval(tell, bars ? 500 : LOG_EVERY * 1000);
		this.#timer.unref();
	}

	shardStarted(shard: string, size: number): void {
		const held = this.#states.get(shard)?.bar;
		const bar = held ?? this.#bars?.create(1000, 0, { name: label(shard), told: "" }) ?? null;
		this.#states.set(shard, { bytes: size, bytesDone: 0, images: 0, imagesDone: 0, bar });
		this.#log.debug({ shard, bytes: size }, "shard started");
	}

	fetched(count: number): void {
		this.fetchedBytes += count;
	}

	received(shard: string, count: number): void {
		this.#bytes += count;
		const state = this.#states.get(shard);
		if (!state) return;
		state.bytesDone += count;
		draw(shard, state);
	}

	imagesFound(shard: string, count: number): void {
		const state = this.#states.get(shard);
		if (state) state.images = count;
	}

	imageDone(shard: string): void {
		this.#images++;
		const state = this.#states.get(shard);
		if (!state) return;
		state.imagesDone++;
		draw(shard, state);
	}

	shardDone(shard: string, how: Parameters<Progress["shardDone"]>[1]): void {
		this.#done++;
		const state = this.#states.get(shard);
		if (state?.bar) this.#bars?.remove(state.bar);
		this.#states.delete(shard);
		this.#total?.update(this.#done, { told: this.#rates() });
		const quiet = this.#bars && how === "done";
		if (!quiet) this.#log.info({ shard, images: state?.imagesDone ?? 0, state: how }, "shard ended");
	}

	/** A property, so that it can be handed on by itself. */
	readonly note: Progress["note"] = (level, message, fields) => this.#log[level](fields ?? {}, message);

	close(): void {
		clearInterval(this.#timer);
		this.#bars?.close();
	}

	#rates(): string {
		const seconds = Math.max(0.001, (performance.now() - this.#started) / 1000);
		return `${megabytes(this.#bytes)} ${this.#images} images, ${(this.#images / seconds).toFixed(0)}/s`;
	}
}

function draw(shard: string, { bytes, bytesDone, images, imagesDone, bar }: ShardState): void {
	// Downloading is the first half of the bar, images the second: a shard knows its images only once it is here.
	// Of a shard of which only parts are fetched, its bytes are an estimate.
	const downloaded = bytes === 0 ? 1 : Math.min(1, bytesDone / bytes);
	const decoded = images === 0 ? 0 : imagesDone / images;
	const told = images === 0 ? megabytes(bytesDone) : `${imagesDone}/${images} images`;
	bar?.update(Math.floor(500 * (downloaded + decoded)), { name: label(shard), told });
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
