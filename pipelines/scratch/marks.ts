import { closeSync, mkdirSync, openSync, rmdirSync, rmSync } from "node:fs";
import { type FileHandle, mkdir, open, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode } from "../../schemas/errors.js";
import { leavesMarks, ownerId, ownerState } from "./owner.js";

/**
 * How processes that do not see each other's pids know who lives. A process that owns anything below a folder shared with
 * others (a scratch folder, a lake's `.irlake`, an export's) keeps a mark there, the empty file `owners/<owner id>`, and
 * touches it. All times are the file system's own, never a machine's: their clocks may differ.
 */

/** A mark is touched this often. */
export const BEAT_SECONDS = 10;
/** A mark that was not touched for so long is a dead owner's. */
export const DEAD_SECONDS = 60;
/** The same for what release 0.1.0 left elsewhere, which kept no marks: since it was last changed itself. */
const UNMARKED_SECONDS = 7 * 24 * 3600;

export const MARKS_FOLDER = "owners";

/** Folders in which this process keeps its mark. */
const roots = new Set<string>();
let timer: NodeJS.Timeout | null = null;
let removesAtExit = false;
let standstills = 0;
/** Numbers the files that ask for the time. */
let asked = 0;

function markOf(root: string, id: string): string {
	return join(root, MARKS_FOLDER, id);
}

/**
 * Sets this process's mark in a folder, and keeps it until `dropMark` or the process's end. To be called before anything
 * in the folder bears its owner id. Throws the system's error.
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
			// Other marks are in it, or it cannot be had any more: then the mark grows old.
		}
	}
}

/** One timer for all marks; there is none where there are no marks, and it keeps no process alive. */
function nextBeat(): void {
	if (timer !== null) clearTimeout(timer);
	timer = roots.size > 0 ? setTimeout(() => void beat().then(nextBeat), BEAT_SECONDS * 1000).unref() : null;
}

/** Touches all marks, and notices where this process stood still for so long that others may have taken it for dead. */
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
 * The file system's time of the touch; null where the mark could not be touched. Opening to truncate takes no space, and
 * lets the file system set the time, where utimes() would set this machine's.
 */
async function touched(root: string): Promise<number | null> {
	const mark = markOf(root, ownerId());
	try {
		await stat(root);
		await mkdir(dirname(mark), { recursive: true });
		return await written(mark);
	} catch (error) {
		// Of a folder that was removed whole, nothing is left to own.
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
 * When a file or folder was last changed, or null where there is none. It is opened for that: a network file system may
 * answer a plain stat from what it knew a minute ago.
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

/** How often this process has stood still for `DEAD_SECONDS`: what it owned then may be another's now. */
export function standstillCount(): number {
	return standstills;
}

/** Whether it stood still since the count was taken, up to this moment. */
async function stoodStillSince(count: number): Promise<boolean> {
	if (standstills === count) await beat();
	return standstills !== count;
}

/** How often work begins again after its process stood still. */
const STANDSTILL_TRIES = 5;

/**
 * Does the work, and does it again where it fails and this process stood still meanwhile: others may have taken its files
 * from it, and then any error may come of that. `again` is told of the error that is not believed.
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
 * Whether the owner of a thing in the folder lives, be it on another machine or in another container. Where that cannot
 * be found out, it does.
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

/** What the folder's file system takes for now. */
async function timeIn(root: string): Promise<number> {
	asked += 1;
	const file = join(root, MARKS_FOLDER, `.now-${ownerId()}-${asked}`);
	await mkdir(dirname(file), { recursive: true });
	try {
		return await written(file);
	} finally {
		await rm(file, { force: true });
	}
}
