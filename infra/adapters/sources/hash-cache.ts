import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { LakeError, systemCode } from "../../../schemas/errors.js";
import { Sha256 } from "../../../schemas/records.js";

/** SHA-256 of local files, cached by path, size, modification time and inode, so that 23 GB are hashed only once. */

/** Large enough for hashing, not reading, to be the bottleneck (1.3–1.7 GB/s a thread). */
const READ_BYTES = 1 << 20;

/** More would only make a disk seek: hashing runs in one thread. */
const MAX_CONCURRENT = 3;

const Entry = z.object({ bytes: z.int().nonnegative(), mtime_ns: z.string(), inode: z.string(), sha256: Sha256 });
type Entry = z.infer<typeof Entry>;
const CacheFile = z.object({ format: z.literal(1), files: z.record(z.string(), Entry) });

interface HashedFile {
	bytes: number;
	sha256: string;
}

async function readCache(cacheFile: string): Promise<Map<string, Entry>> {
	try {
		const cache = CacheFile.parse(JSON.parse(await readFile(cacheFile, "utf8")));
		return new Map(Object.entries(cache.files));
	} catch {
		// Absent or damaged: every file is hashed again.
		return new Map();
	}
}

async function identity(handle: FileHandle): Promise<Omit<Entry, "sha256">> {
	const { size, mtimeNs, ino } = await handle.stat({ bigint: true });
	return { bytes: Number(size), mtime_ns: String(mtimeNs), inode: String(ino) };
}

function same(a: Omit<Entry, "sha256">, b: Omit<Entry, "sha256">): boolean {
	return a.bytes === b.bytes && a.mtime_ns === b.mtime_ns && a.inode === b.inode;
}

/** A system error about a file of the source, as SOURCE_UNREADABLE; anything else is returned as it is. */
export function unreadable(path: string, error: unknown, exit: 1 | 2 = 1): unknown {
	const code = systemCode(error);
	if (error instanceof LakeError || code === null) return error;
	return new LakeError("SOURCE_UNREADABLE", `${path} could not be read (${code}).`, { path, cause: error, exit });
}

async function hashOf(handle: FileHandle, signal: AbortSignal): Promise<string> {
	const hash = createHash("sha256");
	const buffer = Buffer.allocUnsafe(READ_BYTES);
	for (;;) {
		signal.throwIfAborted();
		const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, null);
		if (bytesRead === 0) return hash.digest("hex");
		hash.update(buffer.subarray(0, bytesRead));
	}
}

export class HashCache {
	readonly #cacheFile: string | null;
	readonly #rehash: boolean;
	#cached: Promise<Map<string, Entry>> | null = null;
	readonly #added = new Map<string, Entry>();
	#freeSlots = MAX_CONCURRENT;
	readonly #queue: (() => void)[] = [];

	/** `cacheFile` null: nothing is cached. `rehash`: cached hashes are ignored, and replaced. */
	constructor(cacheFile: string | null, rehash: boolean) {
		this.#cacheFile = cacheFile;
		this.#rehash = rehash;
	}

	/**
	 * Size and SHA-256 of a file by its absolute path, links followed. Throws SOURCE_UNREADABLE, and SOURCE_CHANGED
	 * when the file changes while it is read.
	 */
	async hash(path: string, signal: AbortSignal): Promise<HashedFile> {
		if (this.#freeSlots > 0) this.#freeSlots--;
		else await new Promise<void>((resolve) => this.#queue.push(resolve));
		try {
			signal.throwIfAborted();
			return await this.#hashNow(path, signal);
		} catch (error) {
			throw unreadable(path, error);
		} finally {
			const next = this.#queue.shift();
			if (next) next();
			else this.#freeSlots++;
		}
	}

	/** Adds the new hashes to the cache file, keeping those that other processes added. False when it cannot be written. */
	async save(): Promise<boolean> {
		if (this.#cacheFile === null || this.#added.size === 0) return true;
		const temporary = `${this.#cacheFile}.${process.pid}.tmp`;
		const files = Object.fromEntries([...(await readCache(this.#cacheFile)), ...this.#added]);
		try {
			await mkdir(dirname(this.#cacheFile), { recursive: true });
			await writeFile(temporary, `${JSON.stringify({ format: 1, files })}\n`);
			await rename(temporary, this.#cacheFile);
		} catch {
			await rm(temporary, { force: true }).catch(() => undefined);
			return false;
		}
		this.#added.clear();
		return true;
	}

	async #hashNow(path: string, signal: AbortSignal): Promise<HashedFile> {
		const handle = await open(path, "r");
		try {
			const before = await identity(handle);
			const cached = this.#added.get(path) ?? (await this.#readOnce()).get(path);
			if (cached !== undefined && same(cached, before)) return cached;
			const sha256 = await hashOf(handle, signal);
			if (!same(before, await identity(handle))) {
				throw new LakeError("SOURCE_CHANGED", `${path} changed while it was being read.`, { path });
			}
			this.#added.set(path, { ...before, sha256 });
			return { bytes: before.bytes, sha256 };
		} finally {
			await handle.close();
		}
	}

	#readOnce(): Promise<Map<string, Entry>> {
		this.#cached ??= this.#cacheFile === null || this.#rehash ? Promise.resolve(new Map()) : readCache(this.#cacheFile);
		return this.#cached;
	}
}
