import { createHash, type Hash } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import { each } from "../each.js";
import type { Clock } from "../ports/run.js";
import type { Source, SourceFile } from "../ports/source.js";
import { Retries, type RetryPolicy } from "../retry.js";
import { checkSpace } from "./download.js";
import { writeAt } from "./part-file.js";
import { sparseName, sweepSparse } from "./parts.js";

/** A file of the source of which only some parts are on this machine, each at its own offset; all else is holes. */

/** A part of a file: offsets, `to` exclusive. */
export interface Span {
	from: number;
	to: number;
}

export interface SparseOptions {
	source: Source;
	/** The file lies in its folder `ranges`, and takes the space of the parts that are here. */
	scratch: string;
	clock: Clock;
	signal: AbortSignal;
	/** Default: RETRY_POLICY. */
	retry?: RetryPolicy | undefined;
	/** An attempt failed; the next one comes after so many seconds. */
	onRetry?: (error: LakeError, seconds: number) => void;
	/** Bytes that came from the source. */
	onBytes(bytes: number): void;
}

/** Parts that are nearer than this are fetched as one: a request costs more than these bytes. */
const NEAR = 16 * 1024;
/** Requests at once: their waits for an answer overlap. */
const AT_ONCE = 4;
/** How often a part that must come twice alike may differ from the one before. */
const MAX_DIFFERENCES = 3;

/** What is to be fetched of the wanted parts, where some are here: in order, neighbours together. Pure. */
export function missingSpans(wanted: Span[], present: Span[], near = NEAR): Span[] {
	const missing: Span[] = [];
	const add = ({ from, to }: Span): void => {
		const last = missing.at(-1);
		if (last && from - last.to <= near) last.to = Math.max(last.to, to);
		else missing.push({ from, to });
	};
	for (const span of byStart(wanted)) {
		let { from } = span;
		for (const here of byStart(present)) {
			if (here.to <= from || here.from >= span.to) continue;
			if (here.from > from) add({ from, to: here.from });
			from = Math.max(from, here.to);
		}
		if (from < span.to) add({ from, to: span.to });
	}
	return missing;
}

function byStart(spans: Span[]): Span[] {
	return spans.toSorted((a, b) => a.from - b.from);
}

export class SparseFile {
	readonly #present: Span[] = [];

	readonly path: string;
	readonly #handle: FileHandle;
	readonly #file: SourceFile;
	readonly #options: SparseOptions;

	constructor(path: string, handle: FileHandle, file: SourceFile, options: SparseOptions) {
		this.path = path;
		this.#handle = handle;
		this.#file = file;
		this.#options = options;
	}

	/** An empty one, of the file's size. What dead processes left of such files is deleted first. */
	static async open(file: SourceFile, options: SparseOptions): Promise<SparseFile> {
		await sweepSparse(options.scratch);
		const path = sparseName(options.scratch, file);
		await mkdir(dirname(path), { recursive: true });
		const handle = await open(path, "wx+");
		try {
			await handle.truncate(file.bytes);
		} catch (error) {
			await handle.close();
			await rm(path, { force: true });
			throw error;
		}
		return new SparseFile(path, handle, file, options);
	}

	/** Brings what is not here yet of these parts. Throws NO_SPACE, and what the source throws when retries do not help. */
	async fetch(wanted: Span[]): Promise<void> {
		await this.#fetchAll(missingSpans(wanted, this.#present));
	}

	/** Brings a part that is here once more: it was found wrong. */
	async fetchAgain(span: Span): Promise<void> {
		await this.#fetchAll([span]);
	}

	/**
	 * Brings what is not here yet of a part that nothing vouches for: twice over, until two in a row are equal. Throws
	 * ZIP_CORRUPT where they never are.
	 */
	async fetchSurely(span: Span): Promise<void> {
		for (const missing of missingSpans([span], this.#present)) {
			let before = await this.#fetchHashed(missing);
			for (let differences = 0; ; differences++) {
				const hash = await this.#fetchHashed(missing);
				if (hash === before) break;
				before = hash;
				if (differences < MAX_DIFFERENCES) continue;
				const { path } = this.#file;
				const where = `bytes ${missing.from} to ${missing.to} are others each time they are fetched`;
				throw new LakeError("ZIP_CORRUPT", `${path}: ${where}.`, { path });
			}
		}
	}

	/** Bytes that are here, fewer than `length` only at the end of the file. */
	async read(position: number, length: number): Promise<Buffer> {
		const buffer = Buffer.alloc(Math.max(0, Math.min(length, this.#file.bytes - position)));
		if (buffer.length === 0) return buffer;
		const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
		return buffer.subarray(0, bytesRead);
	}

	/** Deletes the file. */
	async release(): Promise<void> {
		await this.#handle.close();
		await rm(this.path, { force: true });
	}

	async #fetchHashed(span: Span): Promise<string> {
		const hash = createHash("sha256");
		await this.#fetchSpan(span, this.#options.signal, hash);
		this.#present.push(span);
		return hash.digest("hex");
	}

	async #fetchAll(spans: Span[]): Promise<void> {
		const needed = spans.reduce((sum, { from, to }) => sum + to - from, 0);
		await checkSpace(this.#options.scratch, this.#file, needed);
		const fetch = async (span: Span, stop: AbortSignal): Promise<void> => {
			await this.#fetchSpan(span, stop, null);
			this.#present.push(span);
		};
		await each(spans, AT_ONCE, fetch, this.#options.signal);
	}

	/** Goes on at the byte where an attempt broke off. New bytes give all retries back. */
	async #fetchSpan({ from, to }: Span, signal: AbortSignal, hash: Hash | null): Promise<void> {
		const { source, clock, retry: policy, onRetry = () => undefined, onBytes } = this.#options;
		const retries = new Retries({ policy, clock, signal, onRetry });
		let at = from;
		while (at < to) {
			const before = at;
			try {
				for await (const chunk of source.readRange(this.#file, at, to, signal)) {
					writeAt(this.#handle, chunk, at);
					hash?.update(chunk);
					at += chunk.length;
					onBytes(chunk.length);
				}
				if (at < to) throw endedEarly(this.#file, to - at);
			} catch (error) {
				// What follows the last byte is of no interest.
				if (at === to && error instanceof LakeError && error.retry) return;
				if (at > before) retries.renew();
				await retries.after(error);
			}
		}
	}
}

function endedEarly({ path }: SourceFile, bytes: number): LakeError {
	return new LakeError("SOURCE_UNREADABLE", `A part of ${path} ended ${bytes} bytes early.`, { path });
}
