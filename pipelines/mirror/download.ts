import { createHash, type Hash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { LakeError, systemCode } from "../../schemas/errors.js";
import type { Clock, Source, SourceFile } from "../ports.js";

/**
 * One file of the source, downloaded to scratch disk: hashed as it arrives, resumed at the byte, also where another
 * process was interrupted. What has arrived lies in a part file that belongs to one live process.
 */

/** Attempts in a row without a new byte. */
const MAX_RETRIES = 5;
/** Longest time in seconds that the source's own wish to wait is obeyed within one download. */
const MAX_WAIT = 3600;
/** Bytes that may wait for the disk before the network has to. */
const QUEUE_BYTES = 8 << 20;
/** A write at least, but for the last: at a chunk a write (64 KiB) writing costs twice the CPU. */
const WRITE_BYTES = 1 << 20;
/** Chunks a write at most: the system's IOV_MAX. */
const WRITE_CHUNKS = 1024;
const READ_BYTES = 1 << 20;
/** Age in seconds after which nobody will come back for a part. */
const PART_AGE = 14 * 24 * 3600;

export interface DownloadOptions {
	/** Parts lie in its folder `parts`. */
	scratch: string;
	clock: Clock;
	signal: AbortSignal;
	/** Bytes more that are there: those that arrive, and those that an adopted part already holds. */
	onBytes(bytes: number): void;
	/** All bytes told so far are void: the file begins anew. */
	onRestart?: () => void;
	/** An attempt failed; the next one comes after so many seconds. */
	onRetry?: (error: LakeError, seconds: number) => void;
	/** Code of a content that is wrong twice; default SHARD_HASH_MISMATCH. */
	mismatch?: "SHARD_HASH_MISMATCH" | "METADATA_MISSING";
}

export interface Downloaded {
	path: string;
	sha256: string;
	bytes: number;
	/** Bytes that came from the source now. */
	fetched: number;
	/** Deletes the file. */
	release(): Promise<void>;
}

interface Owner {
	pid: number;
	/** Start of the process in clock ticks since boot; "0" where the system does not tell. */
	started: string;
}

interface PartName extends Owner {
	content: string;
	path: string;
}

/** Parts of this process that a download holds now: two shards may have the same content. */
const held = new Set<string>();

/** Start of a live process (`/proc/<pid>/stat`, field 22; proc(5)), "0" where there is no `/proc`, null when it is dead. */
async function processStart(pid: number): Promise<string | null> {
	const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => null);
	if (text !== null) {
		// The second field is the program's name in parentheses, and may hold blanks and parentheses itself.
		const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
		return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? "0");
	}
	try {
		process.kill(pid, 0);
		return "0";
	} catch (error) {
		// EPERM: it lives, and is another user's.
		return systemCode(error) === "ESRCH" ? null : "0";
	}
}

async function isLive(owner: Owner): Promise<boolean> {
	const started = await processStart(owner.pid);
	if (started === null) return false;
	return started === owner.started || started === "0" || owner.started === "0";
}

let self: Promise<Owner> | null = null;
function ownIdentity(): Promise<Owner> {
	self ??= processStart(process.pid).then((started) => ({ pid: process.pid, started: started ?? "0" }));
	return self;
}

async function listParts(folder: string): Promise<PartName[]> {
	const parts: PartName[] = [];
	for (const name of await readdir(folder)) {
		const match = /^([0-9a-f]{40}|[0-9a-f]{64})\.(\d{1,10})-(\d+)(?:-\d+)?\.part$/.exec(name);
		const [, content, pid, started] = match ?? [];
		if (content && pid && started) parts.push({ content, pid: Number(pid), started, path: join(folder, name) });
	}
	return parts;
}

/** A name of this process for the content that none of its downloads holds; held from now on. */
function hold(folder: string, content: string, me: Owner): string {
	for (let n = 1; ; n++) {
		const path = join(folder, `${content}.${me.pid}-${me.started}${n === 1 ? "" : `-${n}`}.part`);
		if (held.has(path)) continue;
		held.add(path);
		return path;
	}
}

/** Moves the largest part that nobody holds to `own`, and deletes the smaller ones. False when there is none. */
async function adopt(folder: string, file: SourceFile, own: string, me: Owner): Promise<boolean> {
	const candidates: { path: string; bytes: number }[] = [];
	for (const part of await listParts(folder)) {
		if (part.content !== contentName(file)) continue;
		const mine = part.pid === me.pid && part.started === me.started;
		if (mine ? part.path !== own && held.has(part.path) : await isLive(part)) continue;
		const bytes = (await stat(part.path).catch(() => null))?.size;
		if (bytes !== undefined) candidates.push({ path: part.path, bytes });
	}
	candidates.sort((a, b) => b.bytes - a.bytes);
	let adopted = false;
	for (const { path, bytes } of candidates) {
		if (!adopted && bytes <= file.bytes) adopted = await moved(path, own);
		else if (path !== own || !adopted) await rm(path, { force: true });
	}
	return adopted;
}

/** False when another process was faster. */
async function moved(from: string, to: string): Promise<boolean> {
	try {
		await rename(from, to);
		return true;
	} catch (error) {
		if (systemCode(error) === "ENOENT") return false;
		throw error;
	}
}

function contentName(file: SourceFile): string {
	const name = file.sha256 ?? file.gitOid;
	if (name === null) throw new LakeError("INTERNAL", `${file.path} is listed without any hash.`, { path: file.path });
	return name;
}

/** A part file, written in order while the next bytes are hashed. */
class Part {
	/** Bytes hashed, and on disk or on the way there. */
	size = 0;
	private sha256 = createHash("sha256");
	private git: Hash | null = null;
	private waiting: Buffer[] = [];
	private waitingBytes = 0;
	/** Bytes in the file. */
	written = 0;
	private writing: Promise<void> | null = null;
	private failure: unknown = null;

	private constructor(
		private readonly handle: FileHandle,
		private readonly file: SourceFile,
	) {
		this.resetHashes();
	}

	static async open(path: string, file: SourceFile, adopted: boolean): Promise<Part> {
		return new Part(await open(path, adopted ? "r+" : "w+"), file);
	}

	/** Hashes what an earlier owner left. */
	async rehash(signal: AbortSignal, onBytes: (bytes: number) => void): Promise<void> {
		const buffer = Buffer.allocUnsafe(READ_BYTES);
		for (;;) {
			signal.throwIfAborted();
			const { bytesRead } = await this.handle.read(buffer, 0, READ_BYTES, this.size);
			if (bytesRead === 0) break;
			this.update(buffer.subarray(0, bytesRead));
			onBytes(bytesRead);
		}
		this.written = this.size;
	}

	/** Takes the next bytes; waits only when the disk is far behind. Throws what an earlier write met. */
	async append(chunk: Buffer): Promise<void> {
		this.waiting.push(chunk);
		this.waitingBytes += chunk.length;
		if (this.waitingBytes >= WRITE_BYTES) this.writing ??= this.drain(WRITE_BYTES);
		this.update(chunk);
		if (this.waitingBytes > QUEUE_BYTES) await this.writing;
		if (this.failure !== null) throw this.failure;
	}

	/** Waits until every byte taken is in the file. */
	async flush(): Promise<void> {
		await this.writing;
		await this.drain(1);
		if (this.failure !== null) throw this.failure;
	}

	async restart(): Promise<void> {
		await this.flush();
		await this.handle.truncate(0);
		this.size = 0;
		this.written = 0;
		this.resetHashes();
	}

	/** SHA-256, and where the source lists no SHA-256 git's blob hash as well. Ends the part's hashing. */
	digests(): { sha256: string; git: string | null } {
		return { sha256: this.sha256.digest("hex"), git: this.git?.digest("hex") ?? null };
	}

	/** Closes the file with every byte taken in it, as far as the disk allowed. */
	async close(): Promise<void> {
		await this.writing;
		await this.drain(1);
		await this.handle.close();
	}

	private resetHashes(): void {
		this.sha256 = createHash("sha256");
		if (this.file.sha256 === null) this.git = createHash("sha1").update(`blob ${this.file.bytes}\0`);
	}

	private update(bytes: Buffer): void {
		this.sha256.update(bytes);
		this.git?.update(bytes);
		this.size += bytes.length;
	}

	/** Writes while at least so many bytes wait. Never rejects: the next `append` or `flush` throws the failure. */
	private async drain(atLeast: number): Promise<void> {
		try {
			while (this.failure === null && this.waitingBytes >= atLeast) {
				const chunks = this.waiting.splice(0, WRITE_CHUNKS);
				const due = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
				const { bytesWritten } = await this.handle.writev(chunks, this.written);
				this.written += bytesWritten;
				this.waitingBytes -= bytesWritten;
				// A short write: the disk is nearly full, and the next one says so.
				if (bytesWritten < due) this.waiting.unshift(Buffer.concat(chunks).subarray(bytesWritten));
			}
		} catch (error) {
			this.failure = error;
		}
		this.writing = null;
	}
}

function noSpace(scratch: string, file: SourceFile, needed: number, free: number | null, cause?: unknown): LakeError {
	const room = free === null ? "it is full" : `${free} bytes are free`;
	return new LakeError("NO_SPACE", `${file.path} needs ${needed} more bytes in ${scratch}, but ${room}.`, {
		path: scratch,
		...(cause === undefined ? {} : { cause }),
	});
}

async function checkSpace(scratch: string, file: SourceFile, needed: number): Promise<void> {
	const { bavail, bsize } = await statfs(scratch);
	const free = bavail * bsize;
	if (free < needed) throw noSpace(scratch, file, needed, free);
}

/** Seconds before the n-th retry in a row: 1, doubled up to 8, and up to a quarter more so that workers do not come all at once. */
function backoff(failures: number): number {
	return Math.min(8, 2 ** (failures - 1)) * (1 + Math.random() / 4);
}

interface Job {
	source: Source;
	file: SourceFile;
	part: Part;
	options: DownloadOptions;
	/** Told of each byte that comes from the source. */
	count(bytes: number): void;
}

/** One attempt at the rest of the file. */
async function attempt({ source, file, part, options, count }: Job): Promise<void> {
	let anew = false;
	const restart = () => {
		anew = true;
	};
	for await (const chunk of source.read(file, part.size, options.signal, restart)) {
		if (anew) {
			anew = false;
			await part.restart();
			options.onRestart?.();
		}
		await part.append(chunk);
		count(chunk.length);
		options.onBytes(chunk.length);
	}
	if (part.size < file.bytes) {
		throw new LakeError("SOURCE_UNREADABLE", `${file.path} ended ${file.bytes - part.size} bytes early.`, {
			path: file.path,
		});
	}
}

/** Fetches until the part is complete. New bytes give all retries back; waiting as the source asked costs none. */
async function fetchRest(job: Job): Promise<void> {
	const { file, part, options } = job;
	let furthest = part.size;
	let failures = 0;
	let waited = 0;
	while (part.size < file.bytes) {
		options.signal.throwIfAborted();
		try {
			await attempt(job);
		} catch (error) {
			options.signal.throwIfAborted();
			if (!(error instanceof LakeError) || !error.retry) throw error;
			if (part.size === file.bytes) return;
			if (part.size > furthest) {
				furthest = part.size;
				failures = 0;
				waited = 0;
			}
			if (error.code !== "HUB_RATE_LIMITED" || !error.waitSeconds) failures++;
			const seconds = error.waitSeconds ?? backoff(failures);
			waited += seconds;
			if (failures > MAX_RETRIES || waited > MAX_WAIT) throw error;
			options.onRetry?.(error, seconds);
			await options.clock.sleep(seconds, options.signal);
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
		await part.flush();
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

/**
 * Downloads one file of the source to `<scratch>/parts`, and checks its size and hash. An interrupted part stays, and
 * is continued by the next download of the same content in whatever process; a complete one costs no request. Throws
 * the mismatch code for bytes that are wrong twice, NO_SPACE, and what the source throws when retries do not help.
 */
export async function download(source: Source, file: SourceFile, options: DownloadOptions): Promise<Downloaded> {
	const folder = join(options.scratch, "parts");
	const me = await ownIdentity();
	const own = hold(folder, contentName(file), me);
	let fetched = 0;
	let part: Part | null = null;
	try {
		await mkdir(folder, { recursive: true });
		part = await Part.open(own, file, await adopt(folder, file, own, me));
		await part.rehash(options.signal, options.onBytes);
		await checkSpace(options.scratch, file, file.bytes - part.size);
		const count = (bytes: number) => {
			fetched += bytes;
		};
		const sha256 = await complete({ source, file, part, options, count });
		await part.close();
		return { path: own, sha256, bytes: file.bytes, fetched, release: () => release(own) };
	} catch (error) {
		await part?.close();
		if (part?.size === 0) await rm(own, { force: true });
		held.delete(own);
		if (options.signal.aborted) throw options.signal.reason;
		const full = ["ENOSPC", "EDQUOT"].includes(systemCode(error) ?? "");
		throw full ? noSpace(options.scratch, file, file.bytes - (part?.written ?? 0), null, error) : error;
	}
}

async function release(path: string): Promise<void> {
	await rm(path, { force: true });
	held.delete(path);
}

/** Deletes parts of dead processes that were last written more than 14 days ago. */
export async function sweepParts(scratch: string): Promise<void> {
	const folder = join(scratch, "parts");
	const parts = await listParts(folder).catch(() => []);
	const oldest = Date.now() - PART_AGE * 1000;
	for (const part of parts) {
		const found = await stat(part.path).catch(() => null);
		if (found !== null && found.mtimeMs < oldest && !(await isLive(part))) await rm(part.path, { force: true });
	}
}
