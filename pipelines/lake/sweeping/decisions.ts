import { randomUUID } from "node:crypto";
import { LAKE_FORMAT } from "../../../schemas/records.js";
import { Sweep } from "../../../schemas/writer-records.js";
import type { Reader, Records, Sweeper } from "../../ports/store.js";
import { vacuumFile } from "../paths.js";
import { recordBytes } from "../snapshot.js";
import { parseVacuumRecord, readVacuumRecord } from "./read-record.js";

/** What is decided of marks, once and for all. */

/** What was decided to delete, receipts first; no paths where a publisher was first. */
interface DecidedSweep {
	paths: string[];
	/** When its owner last wrote it. */
	modified: number;
}

/** Null while nothing is decided, or all is over. */
export async function readSweep(store: Reader, id: string): Promise<DecidedSweep | null> {
	const file = await store.stat(vacuumFile.sweep(id));
	const sweep = file && (await readVacuumRecord(store, vacuumFile.sweep(id), Sweep));
	return sweep && { paths: sweep.paths, modified: file.modified };
}

function sweepBytes(paths: string[]): Buffer {
	return recordBytes({ format: LAKE_FORMAT, owner: randomUUID(), paths });
}

/** Writes a sweep's record again, so that it is this process's from now on. False where it has changed, or is gone. */
export async function renewSweep(store: Reader & Records, id: string): Promise<boolean> {
	const seen = await store.get(vacuumFile.sweep(id));
	if (!seen) return false;
	const { paths } = parseVacuumRecord(Sweep, seen, vacuumFile.sweep(id), store);
	return store.replace(vacuumFile.sweep(id), sweepBytes(paths), seen);
}

/** Decides upon marks that stand, once and for all: true for the first who does. No paths: nothing is deleted. */
export function decideMarks(store: Records, id: string, paths: string[]): Promise<boolean> {
	return store.putIfAbsent(vacuumFile.sweep(id), sweepBytes(paths));
}

/** Removes marks and what was decided, in this order: see marksStand(). */
export async function endMarks(store: Sweeper, id: string): Promise<void> {
	await store.delete([vacuumFile.marks(id)]);
	await store.delete([vacuumFile.sweep(id)]);
}
