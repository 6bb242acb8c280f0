import { readdir, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../../schemas/errors.js";

/** What the operating system says about disks. */

/** Whether a system error means that a disk, or this user's quota on it, is full; reported as NO_SPACE. */
export function isDiskFull(error: unknown): boolean {
	const code = systemCode(error);
	return code === "ENOSPC" || code === "EDQUOT";
}

/** The path itself, or the nearest folder above it that exists. Throws the system's error if that is not a folder. */
export function nearestFolder(path: string): Promise<string> {
	return climb(
		path,
		(at) => readdir(at).then(() => at),
		(error) => systemCode(error) === "ENOENT",
	);
}

/** The file system that holds or would hold the path: its device number and free bytes. */
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

/** Tries the path, then the folders above it, as long as `goOn` accepts the error thrown. */
async function climb<T>(
	path: string,
	attempt: (at: string) => Promise<T>,
	goOn: (error: unknown) => boolean,
): Promise<T> {
	for (let at = path; ; at = dirname(at)) {
		try {
			return await attempt(at);
		} catch (error) {
			if (at === dirname(at) || !goOn(error)) throw error;
		}
	}
}
