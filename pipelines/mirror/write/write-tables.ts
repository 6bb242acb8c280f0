import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Receipt } from "../../../schemas/records.js";
import type { TableRow } from "../../../schemas/tables.js";
import type { Dataset } from "../../dataset.js";
import { tableFile } from "../../lake/paths.js";
import { tablesOf } from "../../lake/tables.js";
import type { TableFiles } from "../../ports/tables.js";
import { hashFile } from "../../scratch/hash-file.js";
import type { ShardTables } from "../check/verdict.js";

interface WriteTools {
	dataset: Dataset;
	tables: TableFiles;
	/** Folder in scratch, created and removed here. */
	folder: string;
}

type WrittenFile = Receipt["files"][number];

/**
 * Writes one shard's parquet files, and passes each to `keep`, which may move it away; it is removed afterwards. A table
 * without rows gets no file.
 */
export async function writeTables(
	shard: string,
	{ rows }: ShardTables,
	{ dataset, tables, folder }: WriteTools,
	keep: (file: WrittenFile, local: string) => Promise<void>,
): Promise<WrittenFile[]> {
	const files: WrittenFile[] = [];
	await mkdir(folder, { recursive: true });
	try {
		for (const table of tablesOf(dataset)) {
			const own = rows[table.name] ?? [];
			if (own.length === 0) continue;
			const local = join(folder, `${table.name}.parquet`);
			await tables.write(table, own, local);
			const file = await describe(shard, table.name, own, local);
			await keep(file, local);
			files.push(file);
		}
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
	return files;
}

/** Describes a written file; its path in the lake is derived from its hash. */
async function describe(shard: string, table: string, rows: TableRow[], local: string): Promise<WrittenFile> {
	const sha256 = await hashFile(local);
	const { size: bytes } = await stat(local);
	return { table, path: tableFile.path(table, shard, sha256), bytes, sha256, rows: rows.length };
}
