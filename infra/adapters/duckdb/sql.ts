import { resolve } from "node:path";

/** Names, texts and files in DuckDB's SQL. */

export function quoted(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
	return `'${text.replaceAll("'", "''")}'`;
}

/**
 * One file as a table. DuckDB reads `*`, `?` and `[` in a path as a pattern, so each is put in a character class of its
 * own. Not in a path with a backslash: a pattern cannot express one, and DuckDB looks for no pattern beside it. Folders
 * named like `shard=3` add no columns.
 */
export function parquet(file: string): string {
	const path = resolve(file);
	const exact = path.includes("\\") ? path : path.replace(/[[*?]/g, "[$&]");
	return `read_parquet(${literal(exact)}, hive_partitioning = false)`;
}
