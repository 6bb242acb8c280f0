import { open } from "node:fs/promises";
import type { Receipt } from "../../schemas/records.js";
import { localTable } from "../lake/local-table.js";
import type { Store } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import type { FoundFinding } from "./judge-findings.js";

/** Reads a shard's findings one by one. */

const COLUMNS = ["code", "image_path", "prompt_id", "member", "detail"];

/** The rows of a good shard, from the lake. Throws LAKE_DAMAGED. @param copy local path for the file of a remote lake */
export async function* quarantineRows(
	{ files }: Receipt,
	store: Store,
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

/** The rows of a failed shard, from this machine's scratch. Throws if they are on another machine. */
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
