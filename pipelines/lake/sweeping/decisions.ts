import { randomUUID } from "node:crypto";
import { LAKE_FORMAT } from "../../../schemas/records.js";
import { Sweep } from "../../../schemas/writer-records.js";
import type { Reader, Records, Sweeper } from "../../ports/store.js";
import { vacuumFile } from "../paths.js";
import { recordBytes } from "../snapshot.js";
import { parseVacuumRecord, readVacuumRecord } from "./read-record.js";

/** What is decided of marks, once and for all. */

/** The decision of what to delete, receipts first; no paths if a publisher came first. */
interface DecidedSweep {
	paths: string[];
	/** When its owner last wrote it. */
	modified: number;
}

/** Null before a decision, and after everything is done. */
export async function readSweep(store: Reader, id: string): Promise<DecidedSweep | null> {
	const file = await store.stat(vacuumFile.sweep(id));
	const sweep = file && (await readVacuumRecord(store, vacuumFile.sweep(id), Sweep));
	return sweep && { paths: sweep.paths, modified: file.modified };
}

function sweepBytes(paths: string[]): Buffer {
	return recordBytes({ format: LAKE_FORMAT, owner: randomUUID(), paths });
}

/** Rewrites a sweep's record to make it this process's. False if it has changed or is gone. */
export async function renewSweep(store: Reader & Records, id: string): Promise<boolean> {
	const seen = await store.get(vacuumFile.sweep(id));
	if (!seen) return false;
	const { paths } = parseVacuumRecord(Sweep, seen, vacuumFile.sweep(id), store);
	return store.replace(vacuumFile.sweep(id), sweepBytes(paths), seen);
}

/**
 * Decides, once and for all, which marked files are deleted; true for the first caller. No paths: nothing is deleted.
 */
export function decideMarks(store: Records, id: string, paths: string[]): Promise<boolean> {
	return store.putIfAbsent(vacuumFile.sweep(id), sweepBytes(paths));
}

/** Removes marks, then their decision. The order matters: see marksStand(). */
export async function endMarks(store: Sweeper, id: string): Promise<void> {
	await store.delete([vacuumFile.marks(id)]);
	await store.delete([vacuumFile.sweep(id)]);
}
