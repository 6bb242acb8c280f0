import { KINDS, type Kind, kindOf } from "../lake/kinds.js";
import { readLatest } from "../lake/snapshot.js";
import { endMarks, readSweep } from "../lake/sweeping/decisions.js";
import { raiseFirstKept } from "../lake/sweeping/first-kept.js";
import { listRecords, putMarks, readMarks, type VacuumRecords } from "../lake/sweeping/marks.js";
import { storeTime } from "../lake/sweeping/store-clock.js";
import { STALE_SECONDS, type SweepStore, type SweepTools, sweepMarks, takeOver } from "../lake/sweeping/sweep.js";
import type { LakeFile, Reader } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import { markable, sweepable } from "./decide.js";
import type { Retention } from "./retention.js";
import { going, listFiles, type Survey, survey } from "./survey.js";

/** Deletes what no retained snapshot needs: survey and mark; later survey again and sweep. See docs/decisions/0009-vacuum.md. */

/** Most files that one run marks, in a record of 10 MB. Receipts come first; the rest is left to the next run. */
const MAX_MARKED = 100_000;

interface VacuumTools extends SweepTools {
	store: SweepStore;
	tables: TableFiles;
	/** This run's own folder. */
	work: string;
}

/** Files and their bytes. */
export type Tally = Record<Kind, { files: number; bytes: number }>;

export interface VacuumReport {
	/** Numbers of the snapshots that stay. */
	kept: number[];
	/** Numbers of those that are incomplete, or will be. */
	givenUp: number[];
	/** Swept by this run, or, without `--yes`, to be swept. */
	deleted: Tally;
	/** Marked by this run, or to be marked. */
	marked: Tally;
	/** Marked earlier, but not for the whole grace time yet. */
	waiting: Tally;
	/** When the newest marks may be swept, by the storage's clock; null if there are none. */
	due: Date | null;
	/** Sweeps of another vacuum that is running, or that died a short time ago. */
	unfinished: number;
}

/** What is to be done. */
interface Todo {
	lake: Survey;
	sweeps: { id: string; files: LakeFile[] }[];
	/** Marks with nothing left to sweep. */
	obsolete: string[];
	marks: LakeFile[];
	waiting: LakeFile[];
	due: number | null;
}

/** Decides what to delete, and writes nothing. Null if there is no lake. */
export async function planVacuum(tools: VacuumTools, retention: Retention, now: number): Promise<VacuumReport | null> {
	const records = await listRecords(tools.store);
	const todo = await decide(tools, records, retention, now);
	if (!todo) return null;
	const broken = await openSweeps(tools.store, records);
	const left = broken.flatMap(({ paths }) => present(paths, todo.lake));
	return report(todo, [...left, ...todo.sweeps.flatMap(({ files }) => files)], 0);
}

/** Finishes interrupted sweeps, sweeps what was marked long enough ago, and marks the rest. Null if there is no lake. */
export async function runVacuum(tools: VacuumTools, retention: Retention): Promise<VacuumReport | null> {
	const { store } = tools;
	if (!(await readLatest(store))) return null;
	const now = await storeTime(store);
	const { deleted, unfinished } = await finishBroken(tools, retention, now);
	const todo = await decide(tools, await listRecords(store), retention, now);
	if (!todo) return null;
	// For a lake that has lost the record.
	if (todo.lake.firstWhole > 1) await raiseFirstKept(store, todo.lake.firstWhole);
	for (const id of todo.obsolete) await endMarks(store, id);
	for (const { id, files } of todo.sweeps) {
		await raiseFirstKept(store, todo.lake.oldest);
		const paths = files.map(({ path }) => path);
		// A publisher needs one of them and was first. The next marks were decided without knowing that.
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

/** Sweeps that were decided but not finished. */
async function openSweeps(store: Reader, { decided }: VacuumRecords): Promise<{ id: string; paths: string[] }[]> {
	const found: { id: string; paths: string[] }[] = [];
	for (const id of decided) {
		const sweep = await readSweep(store, id);
		if (sweep !== null) found.push({ id, paths: sweep.paths });
	}
	return found;
}

/** Finishes sweeps of an interrupted run, and ends marks that a publisher has voided. */
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

/** Decides by everything that is listed now, whatever was marked. */
async function decide(
	tools: VacuumTools,
	{ marks, decided }: VacuumRecords,
	retention: Retention,
	now: number,
): Promise<Todo | null> {
	const lake = await survey(tools.store, retention, now);
	if (!lake) return null;
	const todo: Todo = { lake, sweeps: [], obsolete: [], marks: [], waiting: [], due: null };
	const marked = new Set<string>();
	for (const { id, modified } of marks) {
		tools.signal.throwIfAborted();
		if (decided.has(id)) {
			for (const path of (await readSweep(tools.store, id))?.paths ?? []) marked.add(path);
			continue;
		}
		const paths = new Set(await readMarks(tools.store, id));
		const files = await going(lake, sweepable(paths, modified), tools);
		if (files.length === 0) todo.obsolete.push(id);
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
	todo.marks = unneeded.slice(0, MAX_MARKED);
	if (todo.marks.length > 0) todo.due = now + retention.grace;
	return todo;
}

/** Files to be swept count as deleted in what is decided next. */
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
