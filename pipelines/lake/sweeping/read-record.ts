import { LakeError } from "../../../schemas/errors.js";
import type { Reader } from "../../ports/store.js";
import { vacuumFile } from "../paths.js";
import { parseRecord, type RecordSchema } from "../snapshot.js";

/**
 * What vacuums and publishers tell each other, in `.irlake/vacuum/`:
 *
 *     <id>.marks.json   files that nothing needed; deleted by a later vacuum, unless somebody needs them by then
 *     <id>.sweep.json   put once: these of them are deleted; or none, as a publisher was first
 *     first-kept.json   the oldest snapshot whose files are still all there
 *
 * docs/decisions/0009-vacuum.md says why that is enough.
 */

/** Null where it is not there. Throws LAKE_DAMAGED. */
export async function readVacuumRecord<T>(store: Reader, path: string, schema: RecordSchema<T>): Promise<T | null> {
	const content = await store.get(path);
	return content && parseVacuumRecord(schema, content, path, store);
}

/** A damaged record holds no data: deleting it is the cure, and the hint says what that does. */
export function parseVacuumRecord<T>(schema: RecordSchema<T>, content: Buffer, path: string, store: Reader): T {
	try {
		return parseRecord(schema, content, path, store);
	} catch (error) {
		if (!(error instanceof LakeError) || error.code !== "LAKE_DAMAGED") throw error;
		throw new LakeError("LAKE_DAMAGED", error.message, { path, cause: error, hint: cureOf(path) });
	}
}

function cureOf(path: string): string {
	if (path === vacuumFile.firstKept)
		return (
			"It says which is the oldest snapshot that vacuum left whole, and holds no data. Delete it; the next irlake " +
			"vacuum --yes writes it again."
		);
	const what =
		vacuumFile.parse(path)?.kind === "marks"
			? "It lists files that a later vacuum would delete, and holds no data. Delete it: nothing is deleted that it marked"
			: "It says what a vacuum was deleting, and holds no data. Delete it";
	return `${what}; the next irlake vacuum --yes looks anew. Let nothing else write to the lake meanwhile.`;
}

/** What was read; where the record is damaged, the error that says so. */
export async function orDamage<T>(reading: Promise<T>): Promise<T | LakeError> {
	try {
		return await reading;
	} catch (error) {
		if (error instanceof LakeError && error.code === "LAKE_DAMAGED") return error;
		throw error;
	}
}
