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

/** What a shard's content is fetched and read with. */
export interface ContentTools {
	source: Source;
	archives: ArchiveReader;
	images: ImagePool;
	progress: Progress;
	clock: Clock;
	scratch: string;
	retry?: RetryPolicy;
	/** Told when all that is needed of the shard is here, and the network free for the next one. */
	onArrived?: () => void;
}

/** Whose content it is, and how it is judged. */
export interface ContentTask {
	plan: ShardPlan;
	settings: Settings;
	/** Ends what is under way. */
	signal: AbortSignal;
}

/** A shard's content, whole on this machine or brought here in parts: the stages read both alike. */
export interface ShardContent {
	/** The downloaded zip, whole and ours, to be kept for a person to look at if the shard fails; else null. */
	readonly zip: string | null;
	/** The directory, found safe. Throws ZIP_CORRUPT, ZIP_UNSAFE. */
	open(): Promise<Archive>;
	/** Throws JSON_INVALID when its bytes cannot be had. */
	readJson(json: Member): Promise<Buffer>;
	/** Sees to it that these members can be judged. */
	bring(members: Member[]): Promise<void>;
	judge(task: ImageTask, signal: AbortSignal): Promise<ImageResult>;
	/** Gives up what was downloaded: the shard is done. */
	release(): Promise<void>;
	/** Ends what is under way, whatever the shard came to. */
	close(): Promise<void>;
}

/** The content that lies in a local zip, or unpacked; what was judged while the zip arrived counts where it may. */
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

/** The content of a zip elsewhere, of which only parts are fetched. */
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
