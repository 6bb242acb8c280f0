import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { FindingCode, Severity } from "../../../schemas/codes.js";
import type { TableFile } from "../../../schemas/records.js";
import type { Reader } from "../../ports/store.js";
import type { TableFiles } from "../../ports/tables.js";
import { localTable } from "../local-table.js";
import { rejectedFile } from "../paths.js";

/** How tables are read for the files that they name. */
export interface TableTools {
	store: Reader;
	tables: TableFiles;
	/** Folder of this run's own, for copies of a store elsewhere; made and removed here. */
	work: string;
}

/** Objects that a file of `images` names. Throws LAKE_DAMAGED. */
export async function objectsNamed(file: TableFile, tools: TableTools): Promise<string[]> {
	return column(file, "object_key", tools);
}

/** Where the bytes of the members that a file of `quarantine` names would be. Throws LAKE_DAMAGED. */
export async function rejectedNamed(file: TableFile, tools: TableTools): Promise<string[]> {
	return (await column(file, "sha256", tools)).map(rejectedFile.path);
}

/**
 * Where a quarantine row's bytes are kept with `--keep-rejected`, or null where none are: of a row that is rejected and
 * of a member that no row names, as far as it could be read. What is only warned of is an object like any other.
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
