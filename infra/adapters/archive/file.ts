import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { unreadable } from "./bytes.js";

/** A file open for synchronous reading. */
export interface OpenFile {
	path: string;
	fd: number;
	/** In bytes, when it was opened. */
	size: number;
}

/** Bytes read at once of a file too large for memory. */
export const CHUNK = 1 << 20;

/** Throws SOURCE_UNREADABLE; the caller closes `fd`. */
export function openFile(path: string): OpenFile {
	let fd: number | null = null;
	try {
		fd = openSync(path, "r");
		return { path, fd, size: fstatSync(fd).size };
	} catch (error) {
		if (fd !== null) closeSync(fd);
		throw unreadable(path, error);
	}
}

/** Fills `target` from `position` on; returns the bytes read, fewer only at the end of the file. */
export function readAt(file: OpenFile, target: Buffer, position: number): number {
	let filled = 0;
	try {
		while (filled < target.length) {
			const bytes = readSync(file.fd, target, filled, target.length - filled, position + filled);
			if (bytes === 0) break;
			filled += bytes;
		}
	} catch (error) {
		throw unreadable(file.path, error);
	}
	return filled;
}

/** A part of a file in new buffers of at most `CHUNK` bytes; stops early at the end of the file. */
export function* chunks(file: OpenFile, start: number, length: number): Generator<Buffer> {
	for (let at = 0; at < length; at += CHUNK) {
		const chunk = Buffer.allocUnsafe(Math.min(CHUNK, length - at));
		const bytes = readAt(file, chunk, start + at);
		yield chunk.subarray(0, bytes);
		if (bytes < chunk.length) return;
	}
}
