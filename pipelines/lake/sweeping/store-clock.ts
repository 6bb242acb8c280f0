import { randomUUID } from "node:crypto";
import { LAKE_FORMAT } from "../../../schemas/records.js";
import type { Reader, Records } from "../../ports/store.js";
import { vacuumFile } from "../paths.js";
import { recordBytes } from "../snapshot.js";

/** What the storage's clock says, by a record that is written now. */
export async function storeTime(store: Reader & Records): Promise<number> {
	for (;;) {
		const seen = await store.get(vacuumFile.clock);
		if (await store.replace(vacuumFile.clock, recordBytes({ format: LAKE_FORMAT, id: randomUUID() }), seen)) break;
	}
	return (await store.stat(vacuumFile.clock))?.modified ?? 0;
}
