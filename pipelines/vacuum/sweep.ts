import type { Store } from "../ports.js";
import { kindOf } from "./kinds.js";
import { endMarks, marksStand } from "./records.js";

/** Files deleted between two looks at whether the marks still stand. */
const BATCH = 500;

export interface SweepTools {
	signal?: AbortSignal;
	/** Told of each batch that is gone. */
	onDeleted?: (paths: string[]) => void;
}

/**
 * Deletes what was decided, in its order, kind after kind; then the records. Any process may do it, again too, and several
 * at once: whoever finds the marks gone stops, since the same files may be made anew from then on.
 */
export async function finishSweep(
	store: Store,
	id: string,
	paths: string[],
	{ signal, onDeleted }: SweepTools = {},
): Promise<void> {
	for (const batch of batches(paths)) {
		signal?.throwIfAborted();
		if (!(await marksStand(store, id))) break;
		await store.delete(batch);
		onDeleted?.(batch);
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
