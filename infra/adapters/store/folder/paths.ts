import { join } from "node:path";
import { isDiskFull } from "../../../../pipelines/scratch/disk.js";
import { LakeError, systemCode } from "../../../../schemas/errors.js";

/** Paths and errors of a lake in a folder. */

/** Throws INTERNAL unless the path is relative, uses `/`, and stays inside the lake. */
export function checkPath(path: string): void {
	const parts = path.split("/");
	const climbs = parts.some((part) => part === "" || part === "." || part === "..");
	if (climbs || path.includes("\\") || path.includes("\0")) {
		throw new LakeError("INTERNAL", `The path ${JSON.stringify(path)} does not lie inside the lake.`, { path });
	}
}

/** Absolute path of a lake's file. Throws INTERNAL for a path outside the lake. */
export function inFolder(folder: string, path: string): string {
	checkPath(path);
	return join(folder, path);
}

/** Whether the error says that there is no file: nothing, a folder, or a file in place of a parent folder. */
export function isAbsent(error: unknown): boolean {
	const code = systemCode(error);
	return code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR";
}

/** The LakeError for an error at a file of the lake; LakeErrors are returned as they are. */
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
			return new LakeError("INTERNAL", `An unexpected error happened at the lake's file ${path}.`, details);
		default:
			return new LakeError("LAKE_UNWRITABLE", `The lake ${folder} failed at ${path} (${code}).`, {
				...details,
				exit: 1,
				retry: true,
			});
	}
}
