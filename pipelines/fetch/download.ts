import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import type { Clock } from "../ports/run.js";
import type { Source, SourceFile } from "../ports/source.js";
import { Retries, type RetryPolicy } from "../retry.js";
import { diskOf, isDiskFull } from "../scratch/disk.js";
import { standstillCount } from "../scratch/marks.js";
import { Part } from "./part-file.js";
import { adopt, hold, letGo } from "./parts.js";

/**
 * One file of the source, downloaded to scratch disk: hashed as it arrives, resumed at the byte, also where another
 * process was interrupted. What has arrived lies in a part file that belongs to one live process.
 */

export interface DownloadOptions {
	/** Parts lie in its folder `parts`. */
	scratch: string;
	clock: Clock;
	signal: AbortSignal;
	/** Bytes more that are in the part file: those that arrive, and those that an adopted part already holds. */
	onBytes(bytes: number, part: string): void;
	/** All bytes told so far are void: the file begins anew. */
	onRestart?: () => void;
	/** An attempt failed; the next one comes after so many seconds. */
	onRetry?: (error: LakeError, seconds: number) => void;
	/** Default: RETRY_POLICY. */
	retry?: RetryPolicy | undefined;
	/** Code of a content that is wrong twice; default SHARD_HASH_MISMATCH. */
	mismatch?: "SHARD_HASH_MISMATCH" | "METADATA_MISSING";
}

interface Downloaded {
	path: string;
	sha256: string;
	bytes: number;
	/** Bytes that came from the source now. */
	fetched: number;
	/** Deletes the file. */
	release(): Promise<void>;
}

/** What a file needs more, and what its disk has: `free` is null where it is found full. */
interface Shortage {
	needed: number;
	free: number | null;
	cause?: unknown;
}

function noSpace(scratch: string, file: SourceFile, { needed, free, cause }: Shortage): LakeError {
	const room = free === null ? "it is full" : `${free} bytes are free`;
	return new LakeError("NO_SPACE", `${file.path} needs ${needed} more bytes in ${scratch}, but ${room}.`, {
		path: scratch,
		...(cause === undefined ? {} : { cause }),
	});
}

/** Throws NO_SPACE where the scratch folder's disk has less than is needed of the file. */
export async function checkSpace(scratch: string, file: SourceFile, needed: number): Promise<void> {
	const { free } = await diskOf(scratch);
	if (free < needed) throw noSpace(scratch, file, { needed, free });
}

interface Job {
	source: Source;
	file: SourceFile;
	part: Part;
	options: DownloadOptions;
	/** Told of each byte that comes from the source. */
	count(bytes: number): void;
}

/** One attempt at the rest of the file. Throws TAKEN_OVER as soon as it is known that the bytes would be nobody's. */
async function attempt({ source, file, part, options, count }: Job): Promise<void> {
	let anew = false;
	const restart = () => {
		anew = true;
	};
	await part.requireMine();
	let standstills = standstillCount();
	for await (const chunk of source.read(file, part.size, options.signal, restart)) {
		if (standstills !== standstillCount()) {
			standstills = standstillCount();
			await part.requireMine();
		}
		if (anew) {
			anew = false;
			await part.restart();
			options.onRestart?.();
		}
		part.append(chunk);
		count(chunk.length);
		options.onBytes(chunk.length, part.path);
	}
	if (part.size < file.bytes) {
		throw new LakeError("SOURCE_UNREADABLE", `${file.path} ended ${file.bytes - part.size} bytes early.`, {
			path: file.path,
		});
	}
}

/** Fetches until the part is complete. New bytes give all retries back. */
async function fetchRest(job: Job): Promise<void> {
	const { file, part, options } = job;
	const { clock, signal, onRetry = () => undefined, retry } = options;
	const retries = new Retries({ policy: retry, clock, signal, onRetry });
	let furthest = part.size;
	while (part.size < file.bytes) {
		signal.throwIfAborted();
		try {
			await attempt(job);
		} catch (error) {
			if (isTakenOver(error)) throw error;
			// What follows the last byte is of no interest.
			if (part.size === file.bytes && error instanceof LakeError && error.retry) return;
			if (part.size > furthest) retries.renew();
			furthest = Math.max(furthest, part.size);
			await retries.after(error);
		}
	}
}

/** The content's SHA-256 where it is what the source lists, else the hash listed and the hash found. */
function judge(file: SourceFile, part: Part): { found: string; listed: string } | { sha256: string } {
	const { sha256, git } = part.digests();
	if (file.sha256 !== null) return sha256 === file.sha256 ? { sha256 } : { listed: file.sha256, found: sha256 };
	return git === file.gitOid ? { sha256 } : { listed: String(file.gitOid), found: String(git) };
}

/** The rest of the file, checked; wrong bytes are fetched whole once more. Resolves with the SHA-256. */
async function complete(job: Job): Promise<string> {
	const { file, part, options } = job;
	for (let round = 1; ; round++) {
		await fetchRest(job);
		await part.requireMine();
		const verdict = judge(file, part);
		if ("sha256" in verdict) return verdict.sha256;
		// Worth nothing to anybody, so not kept for a resume.
		await part.restart();
		options.onRestart?.();
		if (round === 2) {
			const message = `${file.path} has the hash ${verdict.found}, but the source lists ${verdict.listed}; it was fetched again and is wrong again.`;
			throw new LakeError(options.mismatch ?? "SHARD_HASH_MISMATCH", message, { path: file.path, retry: false });
		}
	}
}

/** How often a download begins again after its part was taken. */
const TAKEN_TRIES = 5;

/**
 * Downloads one file of the source to `<scratch>/parts`, and checks its size and hash. An interrupted part stays, and
 * is continued by the next download of the same content in whatever process; a complete one costs no request. Where
 * another process took the part for a dead one's, it begins again. Throws the mismatch code for bytes that are wrong
 * twice, NO_SPACE, and what the source throws when retries do not help.
 */
export async function download(source: Source, file: SourceFile, options: DownloadOptions): Promise<Downloaded> {
	let fetched = 0;
	const count = (bytes: number) => {
		fetched += bytes;
	};
	for (let taken = 0; ; taken++) {
		try {
			return { ...(await downloadOnce(source, file, options, count)), fetched };
		} catch (error) {
			if (!isTakenOver(error) || taken === TAKEN_TRIES) throw error;
			options.onRetry?.(error, 0);
			options.onRestart?.();
		}
	}
}

function isTakenOver(error: unknown): error is LakeError {
	return error instanceof LakeError && error.code === "TAKEN_OVER";
}

async function downloadOnce(
	source: Source,
	file: SourceFile,
	options: DownloadOptions,
	count: Job["count"],
): Promise<Omit<Downloaded, "fetched">> {
	const own = hold(options.scratch, file);
	let part: Part | null = null;
	try {
		await mkdir(dirname(own), { recursive: true });
		part = await Part.open(own, file, await adopt(options.scratch, file, own));
		await part.rehash(options.signal, (bytes) => options.onBytes(bytes, own));
		await checkSpace(options.scratch, file, file.bytes - part.size);
		const sha256 = await complete({ source, file, part, options, count });
		await part.close();
		return { path: own, sha256, bytes: file.bytes, release: () => release(own) };
	} catch (error) {
		await part?.close();
		if (part?.size === 0) await rm(own, { force: true });
		letGo(own);
		if (options.signal.aborted) throw options.signal.reason;
		if (!isDiskFull(error)) throw error;
		throw noSpace(options.scratch, file, { needed: file.bytes - (part?.size ?? 0), free: null, cause: error });
	}
}

async function release(path: string): Promise<void> {
	await rm(path, { force: true });
	letGo(path);
}
