import { join } from "node:path";
import { isDiskFull } from "../../../../pipelines/scratch/disk.js";
import { LakeError, systemCode } from "../../../../schemas/errors.js";

/** Paths and errors of a lake in a folder. */

/** Throws INTERNAL unless the path is relative, with `/`, and cannot climb. */
export function checkPath(path: string): void {
	const parts = path.split("/");
	const climbs = parts.some((part) => part === "" || part === "." || part === "..");
	if (climbs || path.includes("\\") || path.includes("\0")) {
		throw new LakeError("INTERNAL", `The path ${JSON.stringify(path)} does not lie inside the lake.`, { path });
	}
}

/** Absolute path of a lake's file. Throws INTERNAL for a path that is no lake path. */
export function inFolder(folder: string, path: string): string {
	checkPath(path);
	return join(folder, path);
}

/** Whether the error says that there is no file there: nothing, a folder, or a file where a folder should be. */
export function isAbsent(error: unknown): boolean {
	const code = systemCode(error);
	return code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR";
}

/** What went wrong with a file of the lake, as a LakeError; one that is a LakeError already stays. */
export function storeError(error: unknown, folder: string, path: string): LakeError {
	if (error instanceof LakeError) return error;
	const code = systemCode(error);
	const details = { path, cause: error };
	if (isDiskFull(error)) {
		return new LakeError("NO_SPACE", `The disk of the lake ${folder} has no space left for ${path}.`, details);
	}
	switch (code) {
		case "EACCES":
		case "EPERM":
		case "EROFS":
			return new LakeError("LAKE_UNWRITABLE", `The lake ${folder} refuses access to ${path} (${code}).`, details);
		case "ENOTDIR":
		case "EEXIST":
			return new LakeError(
				"LAKE_UNWRITABLE",
				`A file stands where the lake ${folder} needs a folder for ${path}.`,
				details,
			);
		case null:
			return new LakeError("INTERNAL", `The lake's file ${path} could not be handled.`, details);
		default:
			return new LakeError("LAKE_UNWRITABLE", `The lake ${folder} failed at ${path} (${code}).`, {
				...details,
				exit: 1,
				retry: true,
			});
	}
}
