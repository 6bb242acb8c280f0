import { closeSync, mkdirSync, openSync, rmdirSync, rmSync } from "node:fs";
import { type FileHandle, mkdir, open, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode } from "../../schemas/errors.js";
import { leavesMarks, ownerId, ownerState } from "./owner.js";

/**
 * How processes that cannot see each other's pids know who is alive. A process that owns anything in a shared folder (a
 * scratch folder, a lake's `.irlake`, an export's) keeps a mark there, the empty file `owners/<owner id>`, and touches
 * it regularly. All times are the file system's own, since the machines' clocks may differ.
 */

/** Seconds between two touches of a mark. */
export const BEAT_SECONDS = 10;
/** A mark untouched for this long belongs to a dead owner. */
export const DEAD_SECONDS = 60;
/** The same for files of release 0.1.0 on other machines, which kept no marks: counted from the file's last change. */
const UNMARKED_SECONDS = 7 * 24 * 3600;

export const MARKS_FOLDER = "owners";

/** Folders in which this process keeps its mark. */
const roots = new Set<string>();
let timer: NodeJS.Timeout | null = null;
let removesAtExit = false;
let standstills = 0;
/** Numbers the files that are written to read the file system's time. */
let timeFiles = 0;

function markOf(root: string, id: string): string {
	return join(root, MARKS_FOLDER, id);
}

/**
 * Sets this process's mark in a folder, and keeps it until `dropMark` or the end of the process. Call it before any file
 * in the folder gets this owner id. Throws the system's error.
 */
export function holdMark(root: string): void {
	if (roots.has(root)) return;
	const mark = markOf(root, ownerId());
	try {
		touchNow(mark);
	} catch (error) {
		// Another process has just removed the folder, which was empty.
		if (systemCode(error) !== "ENOENT") throw error;
		touchNow(mark);
	}
	roots.add(root);
	if (!removesAtExit) process.once("exit", removeAll);
	removesAtExit = true;
	if (timer === null) nextBeat();
}

function touchNow(mark: string): void {
	mkdirSync(dirname(mark), { recursive: true });
	closeSync(openSync(mark, "w"));
}

/** Removes this process's mark: it owns nothing in the folder any more. */
export async function dropMark(root: string): Promise<void> {
	if (!roots.delete(root)) return;
	if (roots.size === 0) nextBeat();
	await rm(markOf(root, ownerId()), { force: true });
	// Other marks may be in it.
	await rmdir(join(root, MARKS_FOLDER)).catch(() => {});
}

function removeAll(): void {
	for (const root of roots) {
		try {
			rmSync(markOf(root, ownerId()), { force: true });
			rmdirSync(join(root, MARKS_FOLDER));
		} catch {
			// Other marks are in it, or it cannot be reached: the mark then expires.
		}
	}
}

/** One timer for all marks, running only while there are any; it keeps no process alive. */
function nextBeat(): void {
	if (timer !== null) clearTimeout(timer);
	timer = roots.size > 0 ? setTimeout(() => void beat().then(nextBeat), BEAT_SECONDS * 1000).unref() : null;
}

/** Touches all marks, and notices if this process stood still for so long that others may have taken it for dead. */
async function beat(): Promise<void> {
	let stoodStill = false;
	for (const root of roots) {
		const before = await changed(markOf(root, ownerId())).catch(() => null);
		const after = await touched(root);
		if (after !== null && (before === null || after - before >= DEAD_SECONDS * 1000)) stoodStill = true;
	}
	if (stoodStill) standstills += 1;
}

/**
 * Touches the mark and returns the file system's time of that; null if it could not be touched. Opening the file to
 * truncate it takes no space and uses the file system's clock; utimes() would use this machine's.
 */
async function touched(root: string): Promise<number | null> {
	const mark = markOf(root, ownerId());
	try {
		await stat(root);
		await mkdir(dirname(mark), { recursive: true });
		return await written(mark);
	} catch (error) {
		// The whole folder is gone, so nothing in it is owned any more.
		if (systemCode(error) === "ENOENT") roots.delete(root);
		return null;
	}
}

async function written(file: string): Promise<number> {
	return timeOf(await open(file, "w"));
}

async function timeOf(handle: FileHandle): Promise<number> {
	return handle
		.stat()
		.then(({ mtimeMs }) => mtimeMs)
		.finally(() => handle.close());
}

/**
 * When a file or folder was last changed, or null if there is none. It is opened first, because a network file system
 * may answer a plain stat with minute-old cached data.
 */
async function changed(path: string): Promise<number | null> {
	try {
		const handle = await open(path, "r");
		return await timeOf(handle);
	} catch (error) {
		if (systemCode(error) === "ENOENT") return null;
		throw error;
	}
}

/** How often this process has stood still for `DEAD_SECONDS`; others may since have taken what it owned. */
export function standstillCount(): number {
	return standstills;
}

/** Whether this process has stood still since the count was read. */
async function stoodStillSince(count: number): Promise<boolean> {
	if (standstills === count) await beat();
	return standstills !== count;
}

/** How often work begins again after the process stood still. */
const STANDSTILL_TRIES = 5;

/**
 * Does the work, and does it again if it fails and this process stood still meanwhile: others may have taken its files,
 * which can cause any error. `again` is called with the error that is ignored.
 */
export async function despiteStandstills<T>(
	work: () => Promise<T>,
	again: (error: unknown) => void,
	signal: AbortSignal,
): Promise<T> {
	for (let tries = 0; ; tries++) {
		const count = standstills;
		try {
			return await work();
		} catch (error) {
			if (signal.aborted || tries === STANDSTILL_TRIES || !(await stoodStillSince(count))) throw error;
			again(error);
		}
	}
}

/**
 * Whether the owner of a thing in the folder is alive, on this machine, another one or in another container. If that
 * cannot be found out, it counts as alive.
 */
export async function ownerLives(root: string, id: string, thing: string): Promise<boolean> {
	const state = ownerState(id);
	if (state !== "elsewhere") return state === "alive";
	try {
		const [path, patience] = leavesMarks(id) ? [markOf(root, id), DEAD_SECONDS] : [thing, UNMARKED_SECONDS];
		const last = await changed(path);
		return last !== null && (await timeIn(root)) - last < patience * 1000;
	} catch {
		return true;
	}
}

/** The present time by the folder's file system. */
async function timeIn(root: string): Promise<number> {
	timeFiles += 1;
	const file = join(root, MARKS_FOLDER, `.now-${ownerId()}-${timeFiles}`);
	await mkdir(dirname(file), { recursive: true });
	try {
		return await written(file);
	} finally {
		await rm(file, { force: true });
	}
}
