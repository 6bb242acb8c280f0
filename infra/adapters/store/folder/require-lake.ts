import { readdir } from "node:fs/promises";
import { LATEST, PRIVATE } from "../../../../pipelines/lake/paths.js";
import { LakeError, systemCode } from "../../../../schemas/errors.js";

/**
 * A folder that holds other things must not become a lake by a slip of the hand. Throws LAKE_NOT_A_LAKE,
 * LAKE_UNWRITABLE.
 */
export async function requireLake(folder: string): Promise<void> {
	try {
		const names = await readdir(folder);
		if (names.length === 0 || names.includes(PRIVATE) || names.includes(LATEST)) return;
		const some = names.slice(0, 3).join(", ");
		throw new LakeError("LAKE_NOT_A_LAKE", `${folder} holds other files and is no lake: ${some}.`, { path: folder });
	} catch (cause) {
		if (cause instanceof LakeError) throw cause;
		const code = systemCode(cause);
		const details = { path: folder, cause };
		if (code === "ENOENT") return;
		if (code === "ENOTDIR") throw new LakeError("LAKE_NOT_A_LAKE", `${folder} is no folder.`, details);
		throw new LakeError("LAKE_UNWRITABLE", `${folder} cannot be read (${code}).`, details);
	}
}
