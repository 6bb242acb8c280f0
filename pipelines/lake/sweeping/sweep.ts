import type { Clock } from "../../ports/run.js";
import type { Reader, Records, Sweeper } from "../../ports/store.js";
import { fileKind } from "../kinds.js";
import { decideMarks, endMarks, readSweep, renewSweep } from "./decisions.js";
import { marksStand } from "./marks.js";

/**
 * Deletes the files that a sweep's record lists. Only one process may do so, because a deleted file may be written anew
 * as soon as the marks are gone: the one that wrote the record, for five minutes, after which it must renew it. A record
 * that is ten minutes old belongs to nobody, and can be taken over.
 */

/** How long a record entitles its writer to delete, by the writer's own clock. */
const RIGHT_SECONDS = 300;
/** Age at which it can be taken over, by the storage's clock: enough for deletes that were begun in time to end. */
export const STALE_SECONDS = 600;
/** Files deleted with one call. */
const BATCH = 500;

/** What vacuum needs of a store, and a publisher that runs beside one. */
export type SweepStore = Reader & Records & Sweeper;

export interface SweepTools {
	clock: Clock;
	signal: AbortSignal;
	/** Called before the first file is deleted; then `onDeleted` after each batch. */
	onSweep?: (files: number) => void;
	onDeleted?: (files: number) => void;
}

/** Decides to delete these files, and deletes them. False if another process decided first: then nothing is deleted. */
export async function sweepMarks(store: SweepStore, id: string, paths: string[], tools: SweepTools): Promise<boolean> {
	const started = tools.clock.now();
	if (!(await decideMarks(store, id, paths))) return false;
	// If the marks are gone, another vacuum had already swept and removed them, together with its decision.
	const stands = await marksStand(store, id);
	if (stands) await deleteAll(store, id, { paths, started }, tools);
	else await endMarks(store, id);
	return stands;
}

/**
 * Finishes what a dead process left: deletes the rest of a sweep whose record is older than `stale` seconds, and drops
 * records without effect. False while a sweep may still be another process's.
 * @param now by the storage's clock, in milliseconds
 */
export async function takeOver(
	store: SweepStore,
	id: string,
	{ now, stale }: { now: number; stale: number },
	tools: SweepTools,
): Promise<boolean> {
	const sweep = await readSweep(store, id);
	if (sweep === null) return true;
	if (sweep.paths.length > 0 && (await marksStand(store, id))) {
		if (now - sweep.modified < stale * 1000) return false;
		const started = tools.clock.now();
		if (!(await renewSweep(store, id))) return false;
		await deleteAll(store, id, { paths: sweep.paths, started }, tools);
	} else await endMarks(store, id);
	return true;
}

/** Deletes the files in the order given, kind by kind, then the records. */
async function deleteAll(
	store: SweepStore,
	id: string,
	{ paths, started }: { paths: string[]; started: number },
	{ clock, signal, onSweep, onDeleted }: SweepTools,
): Promise<void> {
	let since = started;
	onSweep?.(paths.length);
	for (const batch of [...batches(paths), []]) {
		signal.throwIfAborted();
		if (clock.now() - since > RIGHT_SECONDS) {
			since = clock.now();
			if (!(await renewSweep(store, id))) return;
		}
		if (batch.length > 0) await store.delete(batch);
		onDeleted?.(batch.length);
	}
	await endMarks(store, id);
}

/** A batch holds one kind only, since receipts must be gone before the files they name. */
function* batches(paths: string[]): Iterable<string[]> {
	let batch: string[] = [];
	for (const path of paths) {
		const [first] = batch;
		if (batch.length === BATCH || (first !== undefined && fileKind(first) !== fileKind(path))) {
			yield batch;
			batch = [];
		}
		batch.push(path);
	}
	if (batch.length > 0) yield batch;
}
