import { rm } from "node:fs/promises";
import { join } from "node:path";
import { FINDINGS, type FindingCode } from "../../../schemas/codes.js";
import type { Receipt } from "../../../schemas/records.js";
import { localTable } from "../../lake/local-table.js";
import { rejectedFile } from "../../lake/paths.js";
import { keptPath } from "../../lake/sweeping/named-files.js";
import type { Reader } from "../../ports/store.js";
import type { TableFiles } from "../../ports/tables.js";
import { workFolder } from "../../scratch/work-folder.js";

/** `--keep-rejected` on a lake that was made without it. */

interface UnkeptTools {
	store: Reader;
	tables: TableFiles;
	scratch: string;
}

/**
 * Shards that were done earlier, of whose rejected members the lake lacks the bytes of one, or has another number of
 * them. Processed once more, their receipts and files come out as they are.
 */
export async function unkeptShards(receipts: Receipt[], tools: UnkeptTools): Promise<Set<string>> {
	const kept = new Map<string, number>();
	for await (const { path, bytes } of tools.store.list(rejectedFile.folder)) kept.set(path, bytes);
	const unkept = new Set<string>();
	const work = await workFolder(tools.scratch, "unkept");
	try {
		for (const receipt of receipts) if (await lacks(receipt, kept, tools, work)) unkept.add(receipt.shard);
		return unkept;
	} finally {
		await rm(work, { recursive: true, force: true });
	}
}

async function lacks(
	{ findings, files }: Receipt,
	kept: Map<string, number>,
	{ store, tables }: UnkeptTools,
	work: string,
): Promise<boolean> {
	const codes = Object.keys(findings) as FindingCode[];
	if (codes.every((code) => keptPath({ ...FINDINGS[code], code, sha256: "" }) === null)) return false;
	for (const file of files.filter(({ table }) => table === "quarantine")) {
		const local = await localTable(file, store, join(work, "quarantine.parquet"));
		for await (const rows of tables.read(local, ["code", "severity", "sha256", "bytes"])) {
			// These columns, of a file whose hash was just checked.
			for (const row of rows as unknown as (Parameters<typeof keptPath>[0] & { bytes: number })[]) {
				const path = keptPath(row);
				if (path !== null && kept.get(path) !== row.bytes) return true;
			}
		}
	}
	return false;
}
