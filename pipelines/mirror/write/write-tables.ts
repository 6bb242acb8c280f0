import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Receipt } from "../../../schemas/records.js";
import { type Dataset, shardParts } from "../../dataset.js";
import { tableFile } from "../../lake/paths.js";
import { tablesOf } from "../../lake/tables.js";
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
	{ dataset, tables, store }: { dataset: Dataset; tables: TableFiles; store: Store },
	folder: string,
): Promise<Receipt["files"]> {
	const files: Receipt["files"] = [];
	await mkdir(folder, { recursive: true });
	try {
		for (const table of tablesOf(dataset)) {
			const { name } = table;
			const own = rows[name] ?? [];
			if (own.length === 0) continue;
			const local = join(folder, `${name}.parquet`);
			await tables.write(table, own, local);
			const sha256 = await hashFile(local);
			const { size: bytes } = await stat(local);
			const path = tableFile.path(name, shard, sha256);
			await store.putFile(path, local);
			files.push({ table: name, path, bytes, sha256, rows: own.length });
		}
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
	return files;
}
