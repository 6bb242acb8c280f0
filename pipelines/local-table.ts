import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { LakeError } from "../schemas/errors.js";
import type { TableFile } from "../schemas/records.js";
import { hashFile } from "./hash-file.js";
import type { Store } from "./ports.js";

/**
 * A table's file on this machine, held against the hash that its record tells. It may lie in `work`, and is overwritten
 * there by the next one. Throws LAKE_DAMAGED where it is missing or has other bytes.
 */
export async function localTable(file: Omit<TableFile, "rows">, store: Store, work: string): Promise<string> {
	let local = store.localPath(file.path);
	if (local === null) {
		await mkdir(work, { recursive: true });
		local = join(work, "table.parquet");
		await rm(local, { force: true });
		await pipeline(await store.read(file.path), createWriteStream(local));
	}
	const found = await hashFile(local).catch((cause: unknown) => {
		throw new LakeError("LAKE_DAMAGED", `${file.path} in ${store.name} cannot be read`, { path: file.path, cause });
	});
	if (found === file.sha256) return local;
	throw new LakeError("LAKE_DAMAGED", `${file.path} in ${store.name} does not have the bytes that its record tells`, {
		path: file.path,
	});
}
