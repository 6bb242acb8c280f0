import type { Clock } from "../../ports/run.js";
import type { Reader, Records, Sweeper } from "../../ports/store.js";
import { kindOf } from "../kinds.js";
import { decideMarks, endMarks, readSweep, renewSweep } from "./decisions.js";
import { marksStand } from "./marks.js";

/**
 * Deleting what was decided. Only one process may, as a file that is deleted may be made anew as soon as the marks are
 * gone: whoever wrote the sweep's record, for five minutes, after which it writes it again. A record that is ten minutes
 * old belongs to nobody, and can be taken over.
 */

/** How long a record gives the right to delete, by its writer's own clock. */
const RIGHT_SECONDS = 300;
/** When it can be taken over, by the storage's clock: late enough for a delete that was begun in time. */
export const STALE_SECONDS = 600;
/** Files deleted by one call. */
const BATCH = 500;

/** What a vacuum does to a lake, and a publisher beside one. */
export type SweepStore = Reader & Records & Sweeper;

export interface SweepTools {
	clock: Clock;
	signal: AbortSignal;
	/** Told before the first file goes, and of each batch that is gone. */
	onSweep?: (files: number) => void;
	onDeleted?: (files: number) => void;
}

/** Decides that these files go, and deletes them. False where another had decided before: then nothing is deleted. */
export async function sweepMarks(store: SweepStore, id: string, paths: string[], tools: SweepTools): Promise<boolean> {
	const started = tools.clock.now();
	if (!(await decideMarks(store, id, paths))) return false;
	// Late: another vacuum had swept and ended these marks, and its decision is gone with them.
	const stands = await marksStand(store, id);
	if (stands) await deleteAll(store, id, { paths, started }, tools);
	else await endMarks(store, id);
	return stands;
}

/**
 * Ends what a dead process left: deletes the rest of a sweep whose record is older than `stale` seconds; drops records that
 * say nothing any more. False while it may be another's.
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

/** Deletes in the order given, kind after kind; then the records. */
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

/** No batch holds two kinds, as receipts must be gone before what they name. */
function* batches(paths: string[]): Iterable<string[]> {
	let batch: string[] = [];
	for (const path of paths) {
		const [first] = batch;
		if (batch.length === BATCH || (first !== undefined && kindOf(first) !== kindOf(path))) {
			yield batch;
			batch = [];
		}
		batch.push(path);
	}
	if (batch.length > 0) yield batch;
}
