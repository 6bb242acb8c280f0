import { resolve } from "node:path";

/** Names, texts and files as DuckDB's SQL has them. */

export function quoted(name: string): string {
	return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
	return `'${text.replaceAll("'", "''")}'`;
}

/**
 * One file as a table. DuckDB takes `*`, `?` and `[` in a path for a pattern, so each is put in a class of its own; not
 * beside a backslash, which such a pattern cannot express, and which stops DuckDB from seeing one. Folders named
 * `shard=3` give no columns.
 */
export function parquet(file: string): string {
	const path = resolve(file);
	const exact = path.includes("\\") ? path : path.replace(/[[*?]/g, "[$&]");
	return `read_parquet(${literal(exact)}, hive_partitioning = false)`;
}
