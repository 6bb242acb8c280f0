import { randomUUID } from "node:crypto";
import { LakeError } from "../../schemas/errors.js";
import { LAKE_FORMAT } from "../../schemas/records.js";
import { LakeIdentity } from "../../schemas/writer-records.js";
import type { Reader, Records } from "../ports/store.js";
import { privateFile } from "./paths.js";
import { recordBytes } from "./snapshot.js";

/** A lake's id, by which two paths are known to be one lake, or one path to be another lake than before. */

const PATH = privateFile.lakeId;

/** Null of a lake that has none yet. Throws LAKE_DAMAGED for a record that cannot be read. */
export async function readLakeId(store: Reader): Promise<string | null> {
	const content = await store.get(PATH);
	if (!content) return null;
	try {
		return LakeIdentity.parse(JSON.parse(content.toString("utf8"))).id;
	} catch (cause) {
		throw new LakeError("LAKE_DAMAGED", `${PATH} in ${store.name} is not a valid record.`, { path: PATH, cause });
	}
}

/** The lake's id; a new lake is given one. */
export async function ensureLakeId(store: Reader & Records): Promise<string> {
	const known = await readLakeId(store);
	if (known !== null) return known;
	const id = randomUUID();
	if (await store.putIfAbsent(PATH, recordBytes({ format: LAKE_FORMAT, id }))) return id;
	const other = await readLakeId(store);
	if (other === null) throw new LakeError("LAKE_DAMAGED", `${PATH} in ${store.name} vanished while it was being read.`);
	return other;
}
