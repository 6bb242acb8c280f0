import { LAKE_FORMAT } from "../../../schemas/records.js";
import { FirstKept } from "../../../schemas/writer-records.js";
import type { Reader, Records } from "../../ports/store.js";
import { vacuumFile } from "../paths.js";
import { recordBytes } from "../snapshot.js";
import { parseVacuumRecord, readVacuumRecord } from "./read-record.js";

const { firstKept: FIRST_KEPT } = vacuumFile;

/** The oldest snapshot whose files are all there: 1 of a lake that was never swept. */
export async function readFirstKept(store: Reader): Promise<number> {
	return (await readVacuumRecord(store, FIRST_KEPT, FirstKept))?.first_kept ?? 1;
}

/** Says, before anything is deleted, that files of older snapshots may be missing. Never lowers it. */
export async function raiseFirstKept(store: Reader & Records, number: number): Promise<void> {
	for (;;) {
		const seen = await store.get(FIRST_KEPT);
		if (seen && parseVacuumRecord(FirstKept, seen, FIRST_KEPT, store).first_kept >= number) return;
		const content = recordBytes({ format: LAKE_FORMAT, first_kept: number });
		if (await store.replace(FIRST_KEPT, content, seen)) return;
	}
}
