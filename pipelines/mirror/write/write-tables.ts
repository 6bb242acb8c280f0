import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Receipt } from "../../../schemas/records.js";
import { TABLE_NAMES, type TableName, type TableRow } from "../../../schemas/tables.js";
import { tableFile } from "../../lake/paths.js";
import type { TableFiles } from "../../ports/tables.js";
import { hashFile } from "../../scratch/hash-file.js";
import type { ShardTables } from "../check/verdict.js";

interface WriteTools {
	tables: TableFiles;
	/** Scratch, made and removed here. */
	folder: string;
}

type WrittenFile = Receipt["files"][number];

/**
 * Writes one shard's parquet, file by file, and hands each over: `keep` may take the local file, which is gone afterwards.
 * A table without rows has no file.
 */
export async function writeTables(
	shard: string,
	{ rows }: ShardTables,
	{ tables, folder }: WriteTools,
	keep: (file: WrittenFile, local: string) => Promise<void>,
): Promise<WrittenFile[]> {
	const files: WrittenFile[] = [];
	await mkdir(folder, { recursive: true });
	try {
		for (const table of TABLE_NAMES) {
			if (rows[table].length === 0) continue;
			const local = join(folder, `${table}.parquet`);
			await tables.write(table, rows[table], local);
			const file = await describe(shard, table, rows[table], local);
			await keep(file, local);
			files.push(file);
		}
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
	return files;
}

/** Its name in the lake is its content's. */
async function describe(shard: string, table: TableName, rows: TableRow[], local: string): Promise<WrittenFile> {
	const sha256 = await hashFile(local);
	const { size: bytes } = await stat(local);
	return { table, path: tableFile.path(table, shard, sha256), bytes, sha256, rows: rows.length };
}
