import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { LakeError } from "../../schemas/errors.js";
import type { TableFile } from "../../schemas/records.js";
import type { Reader } from "../ports/store.js";
import { hashFile } from "../scratch/hash-file.js";

/**
 * A table's file on this machine, held against its recorded hash: in place, or fetched to `copy`, replacing what is
 * there. Throws LAKE_DAMAGED.
 */
export async function localTable(file: TableFile, store: Reader, copy: string): Promise<string> {
	const { path } = file;
	if (!(await store.stat(path))) {
		throw new LakeError("LAKE_DAMAGED", `${path} is missing in ${store.name}.`, {
			path,
			hint: "If irlake vacuum removed it with its snapshot, name a newer one (irlake status); else run irlake verify.",
		});
	}
	let local = store.localPath(path);
	if (local === null) {
		local = copy;
		await mkdir(dirname(copy), { recursive: true });
		await rm(copy, { force: true });
		await pipeline(await store.read(path), createWriteStream(copy));
	}
	const found = await hashFile(local).catch((cause: unknown) => {
		throw new LakeError("LAKE_DAMAGED", `${path} in ${store.name} cannot be read.`, { path, cause });
	});
	if (found === file.sha256) return local;
	throw new LakeError(
		"LAKE_DAMAGED",
		`The bytes of ${path} in ${store.name} are not those that its snapshot records.`,
		{
			path,
		},
	);
}
