import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { FindingCode, Severity } from "../../../schemas/codes.js";
import type { TableFile } from "../../../schemas/records.js";
import type { Reader } from "../../ports/store.js";
import type { TableFiles } from "../../ports/tables.js";
import { localTable } from "../local-table.js";
import { rejectedFile } from "../paths.js";

/** Dependencies of reading the files that a table names. */
export interface TableTools {
	store: Reader;
	tables: TableFiles;
	/** Folder for this run alone, for copies if the store is elsewhere; created and removed here. */
	work: string;
}

/** The objects that a file of `images` names. Throws LAKE_DAMAGED. */
export async function objectsNamed(file: TableFile, tools: TableTools): Promise<string[]> {
	return column(file, "object_key", tools);
}

/** Paths at which bytes of a `quarantine` file's members would be kept. Throws LAKE_DAMAGED. */
export async function rejectedNamed(file: TableFile, tools: TableTools): Promise<string[]> {
	return (await column(file, "sha256", tools)).map(rejectedFile.path);
}

/**
 * Path at which `--keep-rejected` keeps the bytes of a quarantine row, or null if it keeps none. It keeps those of
 * rejected rows and of members that no row names, if they could be read. An image with only a warning is an ordinary
 * object.
 */
export function keptPath(row: { code: FindingCode; severity: Severity; sha256: string | null }): string | null {
	const { code, severity, sha256 } = row;
	if (sha256 === null || (severity !== "reject" && code !== "IMAGE_ORPHAN")) return null;
	return rejectedFile.path(sha256);
}

/** The distinct texts of one column. */
async function column(file: TableFile, name: string, { store, tables, work }: TableTools): Promise<string[]> {
	const found = new Set<string>();
	try {
		const local = await localTable(file, store, join(work, "table.parquet"));
		for await (const batch of tables.read(local, [name])) {
			for (const row of batch) if (typeof row[name] === "string") found.add(row[name]);
		}
	} finally {
		await rm(work, { recursive: true, force: true });
	}
	return [...found];
}
