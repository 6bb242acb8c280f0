import { createHash } from "node:crypto";
import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

/** Hashes of a tree: one over everything, and one for each group of files, so that a failure says where it lies. */

export interface Hashed {
	files: number;
	/** Over the sorted lines `<SHA-256>  <path>` of the files, as `sha256sum` writes them. */
	sha256: string;
}

/** By group; `all` is over everything. */
export type Digest = Record<string, Hashed>;

function sha256(content: Buffer | string): string {
	return createHash("sha256").update(content).digest("hex");
}

/** @param groupOf the group of a path; null leaves the file out */
function digestTree(folder: string, groupOf: (path: string) => string | null): Digest {
	const isFile = (entry: Dirent): boolean => entry.isFile();
	const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter(isFile)
		.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
		.sort();
	const lines = new Map<string, string[]>([["all", []]]);
	for (const path of paths) {
		const group = groupOf(path);
		if (group === null) continue;
		const line = `${sha256(readFileSync(join(folder, path)))}  ${path}\n`;
		for (const name of ["all", group]) lines.set(name, [...(lines.get(name) ?? []), line]);
	}
	const hashed = [...lines].map(([group, own]) => [group, { files: own.length, sha256: sha256(own.join("")) }]);
	return Object.fromEntries(hashed);
}

/** Of `tables/`, parquet files are one group and the logs another; `.irlake/` is the writers' own. */
function lakeGroup(path: string): string | null {
	if (path.startsWith(".irlake/")) return null;
	if (path.startsWith("tables/")) return path.includes("/_delta_log/") ? "logs" : "tables";
	return path.split("/")[0] ?? path;
}

/** A lake, by what its files are. */
export function digestLake(lake: string): Digest {
	return digestTree(lake, lakeGroup);
}

/** What a lake holds whatever folder it was made from: the source's address stands in its snapshots and logs. */
export function digestContent(lake: string): Digest {
	return digestTree(lake, (path) => {
		const group = lakeGroup(path);
		return group !== null && ["objects", "tables", "receipts"].includes(group) ? group : null;
	});
}

/** An export, by its files' endings. */
export function digestExport(out: string): Digest {
	return digestTree(out, (path) => extname(path).slice(1));
}

/** What write.ts recorded, by name. */
export function readDigests(file: string): Record<string, Digest> {
	// Both sides are of the same type; a wrong file fails its test.
	return JSON.parse(readFileSync(file, "utf8")) as Record<string, Digest>;
}
