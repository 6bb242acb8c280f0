import { isDeepStrictEqual } from "node:util";
import type { Settings } from "../../../schemas/settings.js";
import type { SourceFormat } from "../../../schemas/stored-format.js";
import type { ArchiveReader, MemberRef } from "../../ports/archive.js";
import type { ImagePool, ImageResult, ImageTask } from "../../ports/images.js";

/** Bytes that must arrive before the zip is examined again. */
const STEP = 1 << 20;

/**
 * Checks a zip's images while the zip is still arriving, so that the cores have work from its first megabyte on. These
 * verdicts are provisional, since neither the zip's hash nor its directory is known yet. One counts only if the whole
 * zip, once verified, gives exactly the same task. A rejection never counts: that image is judged again.
 */
export class SpeculativeImages {
	readonly #archives: ArchiveReader;
	readonly #pool: ImagePool;
	readonly #format: SourceFormat;
	readonly #settings: Settings;
	readonly #stop = new AbortController();
	readonly #signal: AbortSignal;
	/** Tasks by the offset of the member's header. */
	readonly #begun = new Map<number, { ref: MemberRef; result: Promise<ImageResult | null> }>();
	#there = 0;
	/** Offset of the next member; null when it cannot be known. */
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

	/** This many more bytes are in the file. */
	arrived(zip: string, bytes: number): void {
		this.#there += bytes;
		if (this.#next === null || this.#there - this.#next < STEP) return;
		const { refs, next } = this.#archives.arrived(zip, { from: this.#next, to: this.#there }, this.#format);
		this.#next = next;
		for (const ref of refs) this.#begin(ref);
	}

	/** The file begins again, so all tasks are void. */
	restart(): void {
		this.#begun.clear();
		this.#there = 0;
		this.#next = 0;
	}

	/** The verdict on a task that was begun early, or null if it must be run now. */
	async resultOf(task: ImageTask): Promise<ImageResult | null> {
		if (task.check !== "image" || task.ref.kind !== "zip") return null;
		const begun = this.#begun.get(task.ref.headerOffset);
		if (begun === undefined || !isDeepStrictEqual(begun.ref, task.ref)) return null;
		const result = await begun.result;
		return result?.reject === null ? result : null;
	}

	/** Aborts tasks still under way. */
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
