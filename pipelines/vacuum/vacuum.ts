import { KINDS, type Kind, kindOf } from "../lake/kinds.js";
import { readLatest } from "../lake/snapshot.js";
import { STALE_SECONDS, type SweepStore, type SweepTools, sweepMarks, takeOver } from "../lake/sweep.js";
import {
	endMarks,
	listRecords,
	putMarks,
	raiseFirstKept,
	readMarks,
	readSweep,
	storeTime,
	type VacuumRecords,
} from "../lake/vacuum-records.js";
import type { LakeFile, Reader } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import { markable, type Retention, sweepable } from "./decide.js";
import { going, listFiles, type Survey, survey } from "./survey.js";

/** Deleting what no retained snapshot needs: look, mark; later look again, sweep. docs/decisions/0009-vacuum.md */

/** Most files that one run marks: a record of 10 MB. Receipts come first; the rest is for the next run. */
const MARKED_AT_ONCE = 100_000;

export interface VacuumTools extends SweepTools {
	store: SweepStore;
	tables: TableFiles;
	/** Folder of this run's own. */
	work: string;
}

/** Files and their bytes. */
export type Tally = Record<Kind, { files: number; bytes: number }>;

export interface VacuumReport {
	/** Numbers of the snapshots that stay. */
	kept: number[];
	/** Numbers of those that are not whole, or no longer to be. */
	givenUp: number[];
	/** Swept by this run, or to be swept by the next one with `--yes`. */
	deleted: Tally;
	/** Marked by this run, or to be marked. */
	marked: Tally;
	/** Marked earlier, and not yet for so long as the grace time. */
	waiting: Tally;
	/** When the newest of the marks may be swept, by the storage's clock; null where there are none. */
	due: Date | null;
	/** Sweeps that another vacuum is at, or was when it died a short time ago. */
	unfinished: number;
}

/** What is to be done. */
interface Todo {
	lake: Survey;
	sweeps: { id: string; files: LakeFile[] }[];
	/** Marks of which nothing is left to sweep. */
	over: string[];
	marks: LakeFile[];
	waiting: LakeFile[];
	due: number | null;
}

/** Decides what goes, and writes nothing. Null where there is no lake. */
export async function planVacuum(tools: VacuumTools, retention: Retention, now: number): Promise<VacuumReport | null> {
	const records = await listRecords(tools.store);
	const todo = await decide(tools, records, retention, now);
	if (!todo) return null;
	const broken = await openSweeps(tools.store, records);
	const left = broken.flatMap(({ paths }) => present(paths, todo.lake));
	return report(todo, [...left, ...todo.sweeps.flatMap(({ files }) => files)], 0);
}

/** Finishes what was begun, sweeps what was marked long enough ago, marks the rest. Null where there is no lake. */
export async function runVacuum(tools: VacuumTools, retention: Retention): Promise<VacuumReport | null> {
	const { store } = tools;
	if (!(await readLatest(store))) return null;
	const now = await storeTime(store);
	const { deleted, unfinished } = await finishBroken(tools, retention, now);
	const todo = await decide(tools, await listRecords(store), retention, now);
	if (!todo) return null;
	// Of a lake that lost the record.
	if (todo.lake.firstWhole > 1) await raiseFirstKept(store, todo.lake.firstWhole);
	for (const id of todo.over) await endMarks(store, id);
	for (const { id, files } of todo.sweeps) {
		await raiseFirstKept(store, todo.lake.oldest);
		const paths = files.map(({ path }) => path);
		// A publisher was first, who wants one of them. What the next marks may take was decided without that.
		if (!(await sweepMarks(store, id, paths, tools))) break;
		deleted.push(...files);
	}
	tools.signal.throwIfAborted();
	if (todo.marks.length > 0) {
		await putMarks(
			store,
			todo.marks.map(({ path }) => path),
		);
	}
	return report(todo, deleted, unfinished);
}

/** Sweeps that were decided and not finished. */
async function openSweeps(store: Reader, { decided }: VacuumRecords): Promise<{ id: string; paths: string[] }[]> {
	const found: { id: string; paths: string[] }[] = [];
	for (const id of decided) {
		const sweep = await readSweep(store, id);
		if (sweep !== null) found.push({ id, paths: sweep.paths });
	}
	return found;
}

/** Ends what an interrupted run began, and marks that a publisher has made void. */
async function finishBroken(
	tools: VacuumTools,
	{ grace }: Retention,
	now: number,
): Promise<{ deleted: LakeFile[]; unfinished: number }> {
	const stale = Math.min(STALE_SECONDS, grace / 1000);
	const broken = await openSweeps(tools.store, await listRecords(tools.store));
	if (broken.length === 0) return { deleted: [], unfinished: 0 };
	const files = await listFiles(tools.store);
	const deleted: LakeFile[] = [];
	let left = 0;
	for (const { id, paths } of broken) {
		if (await takeOver(tools.store, id, { now, stale }, tools)) deleted.push(...present(paths, { files }));
		else left += 1;
	}
	return { deleted, unfinished: left };
}

function present(paths: string[], { files }: Pick<Survey, "files">): LakeFile[] {
	const wanted = new Set(paths);
	return KINDS.flatMap((kind) => files[kind].filter(({ path }) => wanted.has(path)));
}

/** Looks at everything that is listed now, whatever was marked. */
async function decide(
	tools: VacuumTools,
	{ marks, decided }: VacuumRecords,
	retention: Retention,
	now: number,
): Promise<Todo | null> {
	const lake = await survey(tools.store, retention, now);
	if (!lake) return null;
	const todo: Todo = { lake, sweeps: [], over: [], marks: [], waiting: [], due: null };
	const marked = new Set<string>();
	for (const { id, modified } of marks) {
		tools.signal.throwIfAborted();
		if (decided.has(id)) {
			for (const path of (await readSweep(tools.store, id))?.paths ?? []) marked.add(path);
			continue;
		}
		const paths = new Set(await readMarks(tools.store, id));
		const files = await going(lake, sweepable(paths, modified), tools);
		if (files.length === 0) todo.over.push(id);
		else if (now - modified < retention.grace) {
			todo.waiting.push(...files);
			todo.due = modified + retention.grace;
			for (const path of paths) marked.add(path);
		} else {
			todo.sweeps.push({ id, files });
			remove(lake, files);
		}
	}
	const unneeded = await going(lake, markable(lake, marked, retention, now), tools);
	todo.marks = unneeded.slice(0, MARKED_AT_ONCE);
	if (todo.marks.length > 0) todo.due = now + retention.grace;
	return todo;
}

/** What will be swept counts as gone for what is decided next. */
function remove({ files }: Survey, swept: LakeFile[]): void {
	const gone = new Set(swept.map(({ path }) => path));
	for (const kind of KINDS) files[kind] = files[kind].filter(({ path }) => !gone.has(path));
}

function report({ lake, marks, waiting, due }: Todo, deleted: LakeFile[], unfinished: number): VacuumReport {
	return {
		kept: lake.kept,
		givenUp: lake.givenUp,
		deleted: tally(deleted),
		marked: tally(marks),
		waiting: tally(waiting),
		due: due === null ? null : new Date(due),
		unfinished,
	};
}

function tally(files: LakeFile[]): Tally {
	const counted = Object.fromEntries(KINDS.map((kind) => [kind, { files: 0, bytes: 0 }])) as Tally;
	for (const { path, bytes } of files) {
		const kind = kindOf(path);
		if (kind === null) continue;
		counted[kind].files += 1;
		counted[kind].bytes += bytes;
	}
	return counted;
}
