import { relative } from "node:path";
import { LakeError, systemCode } from "../../schemas/errors.js";
import { isDiskFull } from "./disk.js";
import { ownerId } from "./owner.js";

const REFUSED = new Set(["EACCES", "EPERM", "EROFS", "EIO", "ESTALE", "ENOENT", "ENOTDIR", "EISDIR", "EEXIST"]);

/**
 * Turns an error of the scratch folder's disk into a LakeError: NO_SPACE; TAKEN_OVER if a file of this process is gone;
 * USAGE if the folder cannot be used. Any other error is returned as it is, including one that names a file elsewhere.
 * Only for callers whose other files report errors of their own, since a failed write to an open file names no path.
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

/** The error for a file or folder of this process that it no longer finds. */
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
