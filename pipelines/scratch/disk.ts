import { readdir, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../../schemas/errors.js";

/** What the system says of a disk. */

/** Whether an error of the system says that a disk, or this user's share of it, is full: what is told as NO_SPACE. */
export function isDiskFull(error: unknown): boolean {
	const code = systemCode(error);
	return code === "ENOSPC" || code === "EDQUOT";
}

/** The path itself, or the nearest folder above it that exists. Throws the system's error for what is no folder. */
export function nearestFolder(path: string): Promise<string> {
	return climb(
		path,
		(at) => readdir(at).then(() => at),
		(error) => systemCode(error) === "ENOENT",
	);
}

/** The file system that holds the path, or would hold it: its number, and its free bytes. */
export function diskOf(path: string): Promise<{ device: number; free: number }> {
	return climb(
		path,
		async (at) => {
			const [{ dev }, { bavail, bsize }] = await Promise.all([stat(at), statfs(at)]);
			return { device: dev, free: bavail * bsize };
		},
		() => true,
	);
}

/** Looks at the path, then at those above it, for as long as what is thrown says to. */
async function climb<T>(path: string, look: (at: string) => Promise<T>, goOn: (error: unknown) => boolean): Promise<T> {
	for (let at = path; ; at = dirname(at)) {
		try {
			return await look(at);
		} catch (error) {
			if (at === dirname(at) || !goOn(error)) throw error;
		}
	}
}
