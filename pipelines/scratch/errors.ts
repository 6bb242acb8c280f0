import { relative } from "node:path";
import { LakeError, systemCode } from "../../schemas/errors.js";
import { isDiskFull } from "./disk.js";
import { ownerId } from "./owner.js";

const REFUSED = new Set(["EACCES", "EPERM", "EROFS", "EIO", "ESTALE", "ENOENT", "ENOTDIR", "EISDIR", "EEXIST"]);

/**
 * What the disk of the scratch folder said, as a LakeError: NO_SPACE, TAKEN_OVER where something of this process's own is
 * gone, or USAGE where the folder cannot be used. Anything
 * else, errors that name a file elsewhere among them, comes back as it is. For callers whose other files have errors of
 * their own: a write through an open file names no path at all.
 */
export function scratchError(error: unknown, scratch: string): unknown {
	const code = systemCode(error);
	if (error instanceof LakeError || code === null) return error;
	const path = pathOf(error);
	if (path !== null && relative(scratch, path).startsWith("..")) return error;
	const details = { path: path ?? scratch, cause: error };
	const where = path === null ? "" : ` at ${relative(scratch, path)}`;
	if (isDiskFull(error)) return new LakeError("NO_SPACE", `The scratch folder ${scratch} is full${where}.`, details);
	if (code === "ENOENT" && path?.includes(ownerId())) return takenOver(path, error);
	if (!REFUSED.has(code)) return error;
	return new LakeError("USAGE", `The scratch folder ${scratch} failed${where} (${code}).`, {
		...details,
		hint: "Check the folder and its disk, or give another --scratch; then run again.",
		exit: 1,
		retry: true,
	});
}

/** For a file or folder of this process's own that it does not find any more. */
export function takenOver(path: string, cause?: unknown): LakeError {
	return new LakeError("TAKEN_OVER", `${path} is no longer this process's: another one took it for a dead one's.`, {
		path,
		...(cause === undefined ? {} : { cause }),
	});
}

function pathOf(error: unknown): string | null {
	if (typeof error !== "object" || error === null || !("path" in error)) return null;
	return typeof error.path === "string" ? error.path : null;
}
