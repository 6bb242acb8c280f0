import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { TableFile } from "../../schemas/records.js";
import type { Store } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import { localTable } from "./local-table.js";
import { rejectedPath } from "./rejected-path.js";

/** How tables are read for the files that they name. */
export interface TableTools {
	store: Store;
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
	return (await column(file, "sha256", tools)).map(rejectedPath);
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
