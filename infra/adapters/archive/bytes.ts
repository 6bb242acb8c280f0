import { read } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { LakeError } from "../../../schemas/errors.js";

/** Random access to a file: all that reading a zip's directory needs. */
export interface ByteSource {
	/** In bytes. */
	readonly size: number;
	/** `length` bytes from `position` on; fewer only at the end of the file. Throws SOURCE_UNREADABLE. */
	read(position: number, length: number): Promise<Buffer>;
}

/** The error for a file that the system does not let us read. */
export function unreadable(path: string, cause: unknown): LakeError {
	return new LakeError("SOURCE_UNREADABLE", `${basename(path)} could not be read.`, { path, cause });
}

const readAsync = promisify(read);

async function readFrom(fd: number, path: string, position: number, wanted: number): Promise<Buffer> {
	const buffer = Buffer.allocUnsafe(wanted);
	let filled = 0;
	try {
		while (filled < wanted) {
			const { bytesRead } = await readAsync(fd, buffer, filled, wanted - filled, position + filled);
			if (bytesRead === 0) break;
			filled += bytesRead;
		}
	} catch (error) {
		throw unreadable(path, error);
	}
	return buffer.subarray(0, filled);
}

/** Opens a file for `use`, and closes it whatever happens. Throws SOURCE_UNREADABLE. */
export async function withFile<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
	const file = await open(path, "r").catch((error: unknown) => {
		throw unreadable(path, error);
	});
	try {
		const { size } = await file.stat().catch((error: unknown) => {
			throw unreadable(path, error);
		});
		return await use({
			size,
			// Not `file.read`, which takes twice as long for small reads, such as those of a thousand local headers.
			read: (position, length) => readFrom(file.fd, path, position, Math.max(0, Math.min(length, size - position))),
		});
	} finally {
		await file.close();
	}
}
