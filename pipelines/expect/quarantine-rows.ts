import { open } from "node:fs/promises";
import type { Receipt } from "../../schemas/records.js";
import type { Dataset } from "../dataset.js";
import { localTable } from "../lake/local-table.js";
import type { Reader } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import type { FoundFinding } from "./judge-findings.js";

/** Reads a shard's findings one by one. */

const COLUMNS = ["code", "image_path", "member", "detail"];

/** A finding as quarantine tells it: the group stands under the dataset's name for it. */
type ToldFinding = Omit<FoundFinding, "group"> & Record<string, unknown>;

function foundFinding(told: ToldFinding, { group: column }: Dataset): FoundFinding {
	const { code, image_path, member, detail } = told;
	const group = column === null ? null : told[column];
	return { code, image_path, group: typeof group === "string" ? group : null, member, detail };
}

/** The rows of a good shard, from the lake. Throws LAKE_DAMAGED. @param copy local path for the file of a remote lake */
export async function* quarantineRows(
	{ files }: Receipt,
	{ dataset, store, tables }: { dataset: Dataset; store: Reader; tables: TableFiles },
	copy: string,
): AsyncIterable<FoundFinding> {
	for (const file of files) {
		if (file.table !== "quarantine") continue;
		const local = await localTable(file, store, copy);
		const columns = [...COLUMNS, ...(dataset.group === null ? [] : [dataset.group])];
		for await (const batch of tables.read(local, columns)) {
			yield* batch.map((row) => foundFinding(row as unknown as ToldFinding, dataset)); // of a file whose hash was just checked
		}
	}
}

/** The rows of a failed shard, from this machine's scratch. Throws if they are on another machine. */
export async function* keptRows(file: string, dataset: Dataset): AsyncIterable<FoundFinding> {
	const handle = await open(file);
	try {
		for await (const line of handle.readLines({ autoClose: false })) {
			yield foundFinding(JSON.parse(line) as ToldFinding, dataset); // this release wrote it
		}
	} finally {
		await handle.close();
	}
}
