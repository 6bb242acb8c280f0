import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Receipt } from "../../../schemas/records.js";
import { TABLE_NAMES } from "../../../schemas/tables.js";
import { tableFile } from "../../lake/paths.js";
import type { Store } from "../../ports/store.js";
import type { TableFiles } from "../../ports/tables.js";
import { hashFile } from "../../scratch/hash-file.js";
import type { ShardTables } from "../check/verdict.js";

/**
 * Writes one shard's parquet, named by its content, and moves it into the lake.
 * A table without rows has no file. `folder` is scratch, made and removed here.
 */
export async function writeTables(
	shard: string,
	{ rows }: ShardTables,
	tables: TableFiles,
	store: Store,
	folder: string,
): Promise<Receipt["files"]> {
	const files: Receipt["files"] = [];
	await mkdir(folder, { recursive: true });
	try {
		for (const table of TABLE_NAMES) {
			if (rows[table].length === 0) continue;
			const local = join(folder, `${table}.parquet`);
			await tables.write(table, rows[table], local);
			const sha256 = await hashFile(local);
			const { size: bytes } = await stat(local);
			const path = tableFile.path(table, shard, sha256);
			await store.putFile(path, local);
			files.push({ table, path, bytes, sha256, rows: rows[table].length });
		}
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
	return files;
}
