import { LakeError } from "../../../schemas/errors.js";
import type { Settings } from "../../../schemas/settings.js";
import { RangedZip } from "../../fetch/ranged-zip.js";
import type { Archive, ArchiveReader, Member } from "../../ports/archive.js";
import type { ImagePool, ImageResult, ImageTask } from "../../ports/images.js";
import type { Clock, Progress } from "../../ports/run.js";
import type { Source } from "../../ports/source.js";
import { type RetryPolicy, tellRetries } from "../../retry.js";
import type { ShardPlan } from "../plan/decide.js";
import type { SpeculativeImages } from "./speculative-images.js";

/** Dependencies of fetching and reading a shard's content. */
export interface ContentTools {
	source: Source;
	archives: ArchiveReader;
	images: ImagePool;
	progress: Progress;
	clock: Clock;
	scratch: string;
	retry?: RetryPolicy;
	/** Called when everything needed of the shard is here, so that the network is free for the next one. */
	onArrived?: () => void;
}

/** The shard whose content it is, and the settings to judge it by. */
export interface ContentTask {
	plan: ShardPlan;
	settings: Settings;
	/** Aborts work under way. */
	signal: AbortSignal;
}

/** A shard's content, whole on this machine or fetched in parts; the stages read both the same way. */
export interface ShardContent {
	/** The downloaded zip, which is kept for a person to examine if the shard fails; null if there is none. */
	readonly zip: string | null;
	/** Reads the directory and checks that it is safe. Throws ZIP_CORRUPT, ZIP_UNSAFE. */
	open(): Promise<Archive>;
	/** Throws JSON_INVALID when its bytes cannot be read. */
	readJson(json: Member): Promise<Buffer>;
	/** Makes these members ready to be judged. */
	bring(members: Member[]): Promise<void>;
	judge(task: ImageTask, signal: AbortSignal): Promise<ImageResult>;
	/** Removes what was downloaded, once the shard is done. */
	release(): Promise<void>;
	/** Stops work still under way, whether the shard succeeded or failed. */
	close(): Promise<void>;
}

/** Content in a local zip or folder. Verdicts made while the zip arrived are used where they are valid. */
export class WholeContent implements ShardContent {
	readonly #task: ContentTask;
	readonly #tools: ContentTools;
	readonly #early: SpeculativeImages;
	readonly #fetched: { zip: string | null; downloaded: boolean; release(): Promise<void> };

	constructor(
		task: ContentTask,
		tools: ContentTools,
		early: SpeculativeImages,
		fetched: { zip: string | null; downloaded: boolean; release(): Promise<void> },
	) {
		this.#task = task;
		this.#tools = tools;
		this.#early = early;
		this.#fetched = fetched;
	}

	get zip(): string | null {
		return this.#fetched.downloaded ? this.#fetched.zip : null;
	}

	open(): Promise<Archive> {
		const { input, files } = this.#task.plan;
		return this.#tools.archives.open(input, this.#fetched.zip, files, this.#task.signal);
	}

	readJson(json: Member): Promise<Buffer> {
		return this.#tools.archives.readJson(json);
	}

	async bring(): Promise<void> {}

	async judge(task: ImageTask, signal: AbortSignal): Promise<ImageResult> {
		return (await this.#early.resultOf(task)) ?? this.#tools.images.run(task, this.#task.settings, signal);
	}

	release(): Promise<void> {
		return this.#fetched.release();
	}

	async close(): Promise<void> {
		this.#early.close();
	}
}

/** Content of a remote zip, of which only parts are fetched. */
export class RangedContent implements ShardContent {
	readonly zip = null;
	readonly #task: ContentTask;
	readonly #tools: ContentTools;
	#ranged: RangedZip | null = null;

	constructor(task: ContentTask, tools: ContentTools) {
		this.#task = task;
		this.#tools = tools;
	}

	async open(): Promise<Archive> {
		const { source, archives, progress, clock, scratch, retry } = this.#tools;
		const { plan, signal } = this.#task;
		const { shard, input, files } = plan;
		if (input.form !== "zip")
			throw new LakeError("INTERNAL", `Shard ${shard} is not a zip, so no parts of it can be fetched.`);
		this.#ranged = await RangedZip.open(input, files, {
			source,
			archives,
			clock,
			scratch,
			retry,
			signal,
			onRetry: tellRetries((...told) => progress.note(...told), { shard }),
			onBytes: (bytes) => {
				progress.received(shard, bytes);
				progress.fetched(bytes);
			},
		});
		return this.#ranged.archive;
	}

	readJson(json: Member): Promise<Buffer> {
		return this.#zip().readJson(json);
	}

	async bring(members: Member[]): Promise<void> {
		await this.#zip().bring(members);
		this.#tools.onArrived?.();
	}

	judge(task: ImageTask, signal: AbortSignal): Promise<ImageResult> {
		return this.#zip().judge(task.ref, () => this.#tools.images.run(task, this.#task.settings, signal));
	}

	async release(): Promise<void> {}

	async close(): Promise<void> {
		await this.#ranged?.release();
	}

	#zip(): RangedZip {
		if (this.#ranged === null) {
			throw new LakeError("INTERNAL", `Shard ${this.#task.plan.shard} was read before it was opened.`);
		}
		return this.#ranged;
	}
}
