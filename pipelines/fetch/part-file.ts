import { createHash, type Hash } from "node:crypto";
import { writeSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { systemCode } from "../../schemas/errors.js";
import type { SourceFile } from "../ports/source.js";
import { takenOver } from "../scratch/errors.js";

const READ_BYTES = 1 << 20;

/** Writes all of a chunk; throws the system's error. */
export function writeAt({ fd }: FileHandle, chunk: Buffer, position: number): void {
	for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at, position + at);
}

/**
 * A part file, hashed while it is written. Bytes are written where they arrive, at once: they only go into the system's
 * memory, and are still in the processor's cache. Measured for 330 KB: 0.07 ms, against 0.4 ms by another thread. A disk
 * that cannot keep up holds this thread for a moment, and with it the network, which is what it should do.
 */
export class Part {
	/** Bytes hashed and written. */
	size = 0;
	readonly path: string;
	readonly #handle: FileHandle;
	readonly #file: SourceFile;
	#sha256 = createHash("sha256");
	#git: Hash | null = null;

	constructor(path: string, handle: FileHandle, file: SourceFile) {
		this.path = path;
		this.#handle = handle;
		this.#file = file;
		this.#resetHashes();
	}

	static async open(path: string, file: SourceFile, adopted: boolean): Promise<Part> {
		return new Part(path, await open(path, adopted ? "r+" : "w+"), file);
	}

	/** Hashes what an earlier owner left. */
	async rehash(signal: AbortSignal, onBytes: (bytes: number) => void): Promise<void> {
		const buffer = Buffer.allocUnsafe(READ_BYTES);
		for (;;) {
			signal.throwIfAborted();
			const { bytesRead } = await this.#handle.read(buffer, 0, READ_BYTES, this.size);
			if (bytesRead === 0) break;
			this.#update(buffer.subarray(0, bytesRead));
			onBytes(bytesRead);
		}
	}

	/** Takes the next bytes; the caller may use their memory again. Throws the system's error: then they are not counted. */
	append(chunk: Buffer): void {
		writeAt(this.#handle, chunk, this.size);
		this.#update(chunk);
	}

	/** Throws TAKEN_OVER where the part's name is gone, or another file's: its bytes are nobody's then. */
	async requireMine(): Promise<void> {
		const [mine, named] = await Promise.all([
			this.#handle.stat({ bigint: true }),
			stat(this.path, { bigint: true }).catch(nullIfAbsent),
		]);
		if (named === null || named.ino !== mine.ino || named.dev !== mine.dev) throw takenOver(this.path);
	}

	async restart(): Promise<void> {
		await this.#handle.truncate(0);
		this.size = 0;
		this.#resetHashes();
	}

	/** SHA-256, and where the source lists no SHA-256 git's blob hash as well. Ends the part's hashing. */
	digests(): { sha256: string; git: string | null } {
		return { sha256: this.#sha256.digest("hex"), git: this.#git?.digest("hex") ?? null };
	}

	close(): Promise<void> {
		return this.#handle.close();
	}

	#resetHashes(): void {
		this.#sha256 = createHash("sha256");
		if (this.#file.sha256 === null) this.#git = createHash("sha1").update(`blob ${this.#file.bytes}\0`);
	}

	#update(bytes: Buffer): void {
		this.#sha256.update(bytes);
		this.#git?.update(bytes);
		this.size += bytes.length;
	}
}

function nullIfAbsent(error: unknown): null {
	if (systemCode(error) === "ENOENT") return null;
	throw error;
}
