import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

/** One file's content, kept readable by an open descriptor after its name is gone from the folder. */
export interface Content {
	fd: number;
	size: number;
	sha256: string;
	/** Git's object id: of the content, or of the pointer file where the content is in LFS. */
	oid: string;
	lfs: { pointerSize: number } | null;
}

const LFS_NAME = /\.(zip|parquet)$/;
const LFS_SIZE = 10 * 1024 * 1024;
const CHUNK = 1024 * 1024;

/** Git's object id of anything: SHA-1 over a header with kind and length, then the bytes. */
export function gitOid(kind: "blob" | "tree", bytes: Buffer): string {
	return createHash("sha1").update(`${kind} ${bytes.length}\0`).update(bytes).digest("hex");
}

/** The file that git stores in place of a large one (git-lfs docs/spec.md). */
export function pointer(sha256: string, size: number): Buffer {
	return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${size}\n`);
}

function hashOpenFile(fd: number, size: number): string {
	const hash = createHash("sha256");
	const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size) || 1);
	for (let at = 0; at < size; ) {
		const read = readSync(fd, buffer, 0, Math.min(buffer.length, size - at), at);
		if (read === 0) throw new Error("a file became shorter while it was hashed");
		hash.update(buffer.subarray(0, read));
		at += read;
	}
	return hash.digest("hex");
}

/** Opens and hashes the file at `file`; `knownSha256` spares the hashing of what did not change. */
export function openContent(file: string, name: string, size: number, knownSha256: string | undefined): Content {
	const fd = openSync(file, "r");
	try {
		const sha256 = knownSha256 ?? hashOpenFile(fd, size);
		if (LFS_NAME.test(name) || size > LFS_SIZE) {
			const text = pointer(sha256, size);
			return { fd, size, sha256, oid: gitOid("blob", text), lfs: { pointerSize: text.length } };
		}
		const bytes = Buffer.alloc(size);
		for (let at = 0; at < size; ) {
			const read = readSync(fd, bytes, at, size - at, at);
			if (read === 0) throw new Error("a file became shorter while it was read");
			at += read;
		}
		return { fd, size, sha256, oid: gitOid("blob", bytes), lfs: null };
	} catch (error) {
		closeSync(fd);
		throw error;
	}
}
