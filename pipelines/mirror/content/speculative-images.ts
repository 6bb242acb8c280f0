import { isDeepStrictEqual } from "node:util";
import type { Settings } from "../../../schemas/settings.js";
import type { SourceFormat } from "../../../schemas/stored-format.js";
import type { ArchiveReader, MemberRef } from "../../ports/archive.js";
import type { ImagePool, ImageResult, ImageTask } from "../../ports/images.js";

/** Bytes that arrive before the zip is looked at again. */
const STEP = 1 << 20;

/**
 * Checks a zip's images while the zip still arrives, so that the cores have work from its first megabyte on. Nothing is
 * decided here: the zip's hash is not known yet, nor its directory. A verdict counts only where the whole zip, found
 * right, gives the very same task; a rejection never does, and is judged again then.
 */
export class SpeculativeImages {
	readonly #archives: ArchiveReader;
	readonly #pool: ImagePool;
	readonly #format: SourceFormat;
	readonly #settings: Settings;
	readonly #stop = new AbortController();
	readonly #signal: AbortSignal;
	/** By the offset of the member's header. */
	readonly #begun = new Map<number, { ref: MemberRef; result: Promise<ImageResult | null> }>();
	#there = 0;
	/** Where the next member begins; null when it cannot be told. */
	#next: number | null = 0;

	constructor(
		{ archives, images }: { archives: ArchiveReader; images: ImagePool },
		format: SourceFormat,
		settings: Settings,
		signal: AbortSignal,
	) {
		this.#archives = archives;
		this.#pool = images;
		this.#format = format;
		this.#settings = settings;
		this.#signal = AbortSignal.any([signal, this.#stop.signal]);
	}

	/** So many bytes more are in the file. */
	arrived(zip: string, bytes: number): void {
		this.#there += bytes;
		if (this.#next === null || this.#there - this.#next < STEP) return;
		const { refs, next } = this.#archives.arrived(zip, { from: this.#next, to: this.#there }, this.#format);
		this.#next = next;
		for (const ref of refs) this.#begin(ref);
	}

	/** What was there is void: the file begins anew. */
	restart(): void {
		this.#begun.clear();
		this.#there = 0;
		this.#next = 0;
	}

	/** The verdict on a task that was begun early, or null: then it is to be run. */
	async resultOf(task: ImageTask): Promise<ImageResult | null> {
		if (task.check !== "image" || task.ref.kind !== "zip") return null;
		const begun = this.#begun.get(task.ref.headerOffset);
		if (begun === undefined || !isDeepStrictEqual(begun.ref, task.ref)) return null;
		const result = await begun.result;
		return result?.reject === null ? result : null;
	}

	/** Gives up what is still under way. */
	close(): void {
		this.#stop.abort();
	}

	#begin(ref: MemberRef): void {
		if (ref.kind !== "zip") return;
		const task = { ref, check: "image", format: this.#format, keep: true } as const;
		const result = this.#pool.run(task, this.#settings, this.#signal).catch(() => null);
		this.#begun.set(ref.headerOffset, { ref, result });
	}
}
