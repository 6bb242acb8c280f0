import { open } from "node:fs/promises";
import type { Receipt } from "../../schemas/records.js";
import { localTable } from "../lake/local-table.js";
import type { Reader } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import type { FoundFinding } from "./judge-findings.js";

/** Where a shard's findings are told one by one. */

const COLUMNS = ["code", "image_path", "prompt_id", "member", "detail"];

/** The rows of a good shard, from the lake. Throws LAKE_DAMAGED. @param copy where the file of a lake elsewhere is put */
export async function* quarantineRows(
	{ files }: Receipt,
	store: Reader,
	tables: TableFiles,
	copy: string,
): AsyncIterable<FoundFinding> {
	for (const file of files) {
		if (file.table !== "quarantine") continue;
		const local = await localTable(file, store, copy);
		for await (const batch of tables.read(local, COLUMNS)) {
			yield* batch as unknown as FoundFinding[]; // these columns, of a file whose hash was just checked
		}
	}
}

/** The rows of a failed shard, from what it left in scratch. Throws where that is not this machine's. */
export async function* keptRows(file: string): AsyncIterable<FoundFinding> {
	const handle = await open(file);
	try {
		for await (const line of handle.readLines({ autoClose: false })) {
			const { code, image_path, prompt_id, member, detail } = JSON.parse(line) as FoundFinding; // this release wrote it
			yield { code, image_path, prompt_id, member, detail };
		}
	} finally {
		await handle.close();
	}
}
