import { LakeError } from "../../schemas/errors.js";
import type { Receipt, Snapshot, TableFile } from "../../schemas/records.js";
import { folderOf, KINDS, type Kind, kindOf } from "../lake/kinds.js";
import { claimedSnapshot } from "../lake/publish.js";
import { readReceipt } from "../lake/receipt.js";
import { readLatestSnapshot, readSnapshot, type StoredSnapshot, snapshotPaths } from "../lake/snapshot.js";
import { readFirstKept } from "../lake/sweeping/first-kept.js";
import { objectsNamed, rejectedNamed, type TableTools } from "../lake/sweeping/named-files.js";
import type { LakeFile, Reader } from "../ports/store.js";
import { goingFiles, goingReceipts, type Holdings, type May } from "./decide.js";
import { oldestKept, type Retention } from "./retention.js";

type NamedFile = TableFile & { table: string };

/** The lake's files, and those that snapshots name. */
export interface Survey extends Holdings {
	/** Numbers of the snapshots that stay. */
	kept: number[];
	oldest: number;
	/** Numbers of older snapshots, except those whose files all belong to one that stays. */
	givenUp: number[];
	/** The oldest snapshot from which on none lacks a file. */
	firstWhole: number;
	/** Named table files, by path. */
	tables: Map<string, NamedFile>;
	/** Paths that each table file names, once it has been read. */
	contents: Map<string, string[]>;
}

/** Surveys the whole lake. Null if there is none. Throws LAKE_DAMAGED if a snapshot that stays is incomplete. */
export async function survey(store: Reader, retention: Retention, now: number): Promise<Survey | null> {
	for (;;) {
		const firstKept = await readFirstKept(store);
		try {
			return await surveyOnce(store, retention, now, firstKept);
		} catch (error) {
			// Another vacuum that keeps less may have deleted files meanwhile.
			if ((await readFirstKept(store)) === firstKept) throw error;
		}
	}
}

async function surveyOnce(store: Reader, retention: Retention, now: number, firstKept: number): Promise<Survey | null> {
	const latest = await readLatestSnapshot(store);
	if (!latest) return null;
	const claimed = await claimedSnapshots(store, latest.snapshot.number);
	// After the claimed ones, so that one claimed meanwhile is still found here.
	const records = await snapshotPaths(store);
	const pending = records.filter(({ number }) => number > claimed.length);
	const modified = new Map(records.map((record) => [record.number, record.modified]));
	const oldest = Math.max(firstKept, oldestKept(latest.snapshot.number, modified, retention, now));
	const kept = claimed.slice(oldest - 1);
	const open = await Promise.all(pending.map(({ path }) => readSnapshot(store, path)));
	const stay = [...kept, ...open].map(({ snapshot }) => snapshot);
	const files = await listFiles(store);
	const snapshots = claimed.map(({ snapshot }) => snapshot);
	const present = new Set([...files.receipts, ...files.table_files].map(({ path }) => path));
	const firstWhole = 1 + Math.max(0, ...snapshots.filter((one) => lacking(one, present)).map(({ number }) => number));
	requireWhole(snapshots.slice(oldest - 1), firstWhole, present, store);
	const whole = wholeSnapshots(snapshots, oldest);
	return {
		kept: kept.map(({ snapshot }) => snapshot.number),
		oldest,
		givenUp: snapshots.map(({ number }) => number).filter((number) => !whole.has(number)),
		firstWhole,
		files,
		named: new Set(stay.flatMap(namesOf)),
		published: new Set(snapshots.flatMap(namesOf)),
		tables: new Map(stay.flatMap(tableFilesOf).map((file) => [file.path, file])),
		contents: new Map(),
	};
}

/** Every snapshot that has a number, in order, including those that are claimed but not finished. */
async function claimedSnapshots(store: Reader, latest: number): Promise<StoredSnapshot[]> {
	const found: StoredSnapshot[] = [];
	for (let number = 1; ; number++) {
		const claimed = await claimedSnapshot(store, number);
		if (claimed) found.push(claimed);
		else if (number > latest) return found;
		else throw new LakeError("LAKE_DAMAGED", `The commit of snapshot ${number} is missing in ${store.name}.`);
	}
}

function tableFilesOf({ tables }: Pick<Snapshot, "tables">): NamedFile[] {
	return Object.entries(tables).flatMap(([table, { files }]) => files.map((file) => ({ ...file, table })));
}

/** Paths of a snapshot's receipts and table files. */
export function namesOf(snapshot: Snapshot): string[] {
	return [...snapshot.shards.map(({ receipt }) => receipt), ...tableFilesOf(snapshot).map(({ path }) => path)];
}

/** Numbers of the snapshots that vacuum leaves complete: those it keeps, and older ones with the same files. */
export function wholeSnapshots(snapshots: Snapshot[], firstKept: number): Set<number> {
	const kept = new Set(snapshots.filter(({ number }) => number >= firstKept).flatMap(namesOf));
	return new Set(snapshots.filter((one) => namesOf(one).every((path) => kept.has(path))).map(({ number }) => number));
}

function lacking(snapshot: Snapshot, present: Set<string>): string | undefined {
	return namesOf(snapshot).find((path) => !present.has(path));
}

/** The lake's files that vacuum may delete, by kind. */
export async function listFiles(store: Reader): Promise<Record<Kind, LakeFile[]>> {
	const files: Record<Kind, LakeFile[]> = { receipts: [], table_files: [], objects: [], rejected: [] };
	for (const kind of KINDS) {
		for await (const file of store.list(folderOf(kind))) if (kindOf(file.path) === kind) files[kind].push(file);
		files[kind].sort((a, b) => (a.path < b.path ? -1 : 1));
	}
	return files;
}

/** Throws if a table file is lost: what it named is unknown, so nothing may be deleted. */
function requireWhole(kept: Snapshot[], firstWhole: number, present: Set<string>, store: Reader): void {
	for (const snapshot of kept) {
		const path = lacking(snapshot, present);
		if (path === undefined) continue;
		const whole = kept.filter(({ number }) => number >= firstWhole).length;
		const lost = ` If .irlake/ was lost after a vacuum: --keep ${whole} --yes keeps those that are whole.`;
		throw new LakeError(
			"LAKE_DAMAGED",
			`The file ${path}, which snapshot ${snapshot.number} needs, is missing in ${store.name}.`,
			{
				path,
				hint: `Nothing was deleted. Run irlake verify, restore the file, then run vacuum again.${whole > 0 ? lost : ""}`,
			},
		);
	}
}

/** Everything that may be deleted, in the order of deletion; reads the receipts and tables that stay. */
export async function going(lake: Survey, may: May, tools: TableTools): Promise<LakeFile[]> {
	const receipts = goingReceipts(lake, may);
	const gone = new Set(receipts.map(({ path }) => path));
	const tables = new Map(lake.tables);
	for (const { path } of lake.files.receipts) {
		if (lake.named.has(path) || gone.has(path)) continue;
		const receipt = await readReceipt(tools.store, path);
		for (const file of receipt?.files ?? []) tables.set(file.path, file);
	}
	return goingFiles(lake, receipts, await neededFiles(lake, tables, tools), may);
}

/** The table files and all paths that they name; a missing table file names none. */
async function neededFiles(
	{ files, contents }: Survey,
	tables: Map<string, Receipt["files"][number]>,
	tools: TableTools,
): Promise<Set<string>> {
	const needed = new Set(tables.keys());
	const present = new Set(files.table_files.map(({ path }) => path));
	for (const file of tables.values()) {
		const read = { images: objectsNamed, quarantine: files.rejected.length > 0 ? rejectedNamed : null };
		const names = file.table === "images" || file.table === "quarantine" ? read[file.table] : null;
		if (!names || !present.has(file.path)) continue;
		const found = contents.get(file.path) ?? (await names(file, tools));
		contents.set(file.path, found);
		for (const path of found) needed.add(path);
	}
	return needed;
}
