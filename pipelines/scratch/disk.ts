import { readdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../../schemas/errors.js";

/** Disks of folders that may not exist yet. Makes nothing. */

/** The path itself, or the nearest folder above it that exists. Throws the system's error for what is no folder. */
export async function nearestFolder(path: string): Promise<string> {
	for (let at = path; ; at = dirname(at)) {
		try {
			await readdir(at);
			return at;
		} catch (error) {
			if (systemCode(error) !== "ENOENT" || at === dirname(at)) throw error;
		}
	}
}

/** Free bytes of the file system that holds the folder, or would hold it. */
export async function freeBytes(folder: string): Promise<number> {
	for (let at = folder; ; at = dirname(at)) {
		try {
			const { bavail, bsize } = await statfs(at);
			return bavail * bsize;
		} catch (error) {
			if (at === dirname(at)) throw error;
		}
	}
}
