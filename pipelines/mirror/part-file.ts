import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { SourceFile } from "../ports.js";

/** Bytes that may wait for the disk before the network has to. */
const QUEUE_BYTES = 8 << 20;
/** A write at least, but for the last: at a chunk a write (64 KiB) writing costs twice the CPU. */
const WRITE_BYTES = 1 << 20;
/** Chunks a write at most: the system's IOV_MAX. */
const WRITE_CHUNKS = 1024;
const READ_BYTES = 1 << 20;
/** A part file, written in order while the next bytes are hashed. */
export class Part {
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
