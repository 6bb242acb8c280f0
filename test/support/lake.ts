import { createHash } from "node:crypto";
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Latest, Receipt, Snapshot } from "../../schemas/records.js";
import { TABLE_NAMES, type TableName } from "./tables.js";

/** What the fault tests ask of a lake, read without the product's own readers (its record schemas aside). */

function sha256(content: Buffer | string): string {
	return createHash("sha256").update(content).digest("hex");
}

/** Paths of the lake's files, with `/`, sorted; those of the writers' own are left out. */
export function lakeFiles(lake: string): string[] {
	const isFile = (entry: Dirent): boolean => entry.isFile();
	if (!existsSync(lake)) return [];
	const paths = readdirSync(lake, { recursive: true, withFileTypes: true })
		.filter(isFile)
		.map((entry) => join(entry.parentPath, entry.name).slice(lake.length + 1));
	return paths.filter((path) => !path.startsWith(".irlake/")).sort();
}

/** One SHA-256 over the sorted paths and SHA-256s of all files but `.irlake/`: what `lake_digest.py` prints. */
export function digestOf(lake: string): string {
	const lines = lakeFiles(lake).map((path) => `${sha256(readFileSync(join(lake, path)))}  ${path}\n`);
	return sha256(lines.join(""));
}

/**
 * Reads the lake as a reader pinned to `latest.json` does, at whatever moment. Returns the snapshot's number, 0 where
 * nothing is published. Throws where any part of the snapshot is absent, or has other bytes than recorded.
 */
export function readPinned(lake: string): number {
	const file = join(lake, "latest.json");
	if (!existsSync(file)) return 0;
	const latest = Latest.parse(JSON.parse(readFileSync(file, "utf8")));
	const content = readFileSync(join(lake, latest.snapshot));
	if (sha256(content) !== latest.sha256) throw new Error(`${latest.snapshot} has another SHA-256 than recorded`);
	const snapshot = parseSnapshot(content.toString("utf8"));
	if (snapshot.number !== latest.number) throw new Error(`latest.json and ${latest.snapshot} differ in number`);
	const listed = TABLE_NAMES.flatMap((table) => snapshot.tables[table].files.map((one) => ({ table, ...one })));
	for (const { path, bytes, sha256: hash } of listed) requireFile(lake, path, bytes, hash);
	const recorded = snapshot.shards.flatMap(({ receipt }) => {
		return Receipt.parse(JSON.parse(readFileSync(join(lake, receipt), "utf8"))).files;
	});
	requireSame(pathsOf(recorded), pathsOf(listed), "the receipts");
	for (const table of TABLE_NAMES) {
		const { delta_version, files } = snapshot.tables[table];
		if (delta_version !== snapshot.number - 1) throw new Error(`${table} is recorded at version ${delta_version}`);
		requireSame(logFiles(lake, table, delta_version), pathsOf(files), `the log of ${table}`);
	}
	requireObjects(lake, snapshot.counts.objects_bytes);
	return snapshot.number;
}

function requireFile(lake: string, path: string, bytes: number, hash: string): void {
	const content = readFileSync(join(lake, path));
	if (content.length !== bytes) throw new Error(`${path} has ${content.length} bytes, not ${bytes}`);
	if (sha256(content) !== hash) throw new Error(`${path} has another SHA-256 than recorded`);
}

function pathsOf(files: { path: string }[]): string[] {
	return files.map(({ path }) => path).sort();
}

function requireSame(found: string[], wanted: string[], where: string): void {
	if (found.join("\n") === wanted.join("\n")) return;
	throw new Error(`${where} and the snapshot list different files: ${found.join(", ")} and ${wanted.join(", ")}`);
}

/** Replays a table's log, as a Delta reader does, up to a version. */
function logFiles(lake: string, table: string, version: number): string[] {
	const files = new Set<string>();
	for (let at = 0; at <= version; at++) {
		const log = join(lake, "tables", table, "_delta_log", `${String(at).padStart(20, "0")}.json`);
		for (const line of readFileSync(log, "utf8").trim().split("\n")) {
			const { add, remove } = JSON.parse(line) as { add?: { path: string }; remove?: { path: string } };
			if (remove) files.delete(`tables/${table}/${decodeURIComponent(remove.path)}`);
			if (add) files.add(`tables/${table}/${decodeURIComponent(add.path)}`);
		}
	}
	return [...files].sort();
}

/** Every object has the content that its name says, and there are at least as many bytes as the snapshot counts. */
function requireObjects(lake: string, bytes: number): void {
	const objects = lakeFiles(lake).filter((path) => path.startsWith("objects/"));
	let found = 0;
	for (const path of objects) {
		const content = readFileSync(join(lake, path));
		found += content.length;
		if (!path.includes(`/${sha256(content)}.`)) throw new Error(`${path} does not have the bytes of its name`);
	}
	if (found < bytes) throw new Error(`the objects have ${found} bytes, not the ${bytes} of the snapshot`);
}

/** Versions in each table's log, which must be the same in all four. Throws where one is missing in between. */
export function versionsOf(lake: string): number {
	const counts = TABLE_NAMES.map((table) => {
		const names = readdirSync(join(lake, "tables", table, "_delta_log")).sort();
		for (const [at, name] of names.entries()) {
			if (name !== `${String(at).padStart(20, "0")}.json`) throw new Error(`${table} has ${name} as version ${at}`);
		}
		return names.length;
	});
	if (new Set(counts).size !== 1) throw new Error(`the tables have ${counts.join(", ")} versions`);
	return counts[0] ?? 0;
}

/** A snapshot of ImageRewardDB: it has these tables. */
export type RewardSnapshot = Snapshot & { tables: Record<TableName, Snapshot["tables"][string]> };

function parseSnapshot(content: string): RewardSnapshot {
	const snapshot = Snapshot.parse(JSON.parse(content));
	requireSame(Object.keys(snapshot.tables).sort(), [...TABLE_NAMES].sort(), "the dataset");
	return snapshot as RewardSnapshot; // it has them all
}

/** The lake's newest snapshot, as `latest.json` names it. */
export function latestSnapshot(lake: string): RewardSnapshot {
	const latest = Latest.parse(JSON.parse(readFileSync(join(lake, "latest.json"), "utf8")));
	return parseSnapshot(readFileSync(join(lake, latest.snapshot), "utf8"));
}

/** The folder's files with this ending, at any depth, and their sizes. */
export function filesEnding(folder: string, ending: string): { path: string; bytes: number }[] {
	if (!existsSync(folder)) return [];
	const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(ending));
	return names.map((name) => ({ path: join(folder, name), bytes: statSync(join(folder, name)).size }));
}
