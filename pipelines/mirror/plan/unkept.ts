import { rm } from "node:fs/promises";
import { join } from "node:path";
import { FINDINGS, type FindingCode } from "../../../schemas/codes.js";
import type { Receipt } from "../../../schemas/records.js";
import { localTable } from "../../lake/local-table.js";
import { keptPath } from "../../lake/named-files.js";
import { rejectedFile } from "../../lake/paths.js";
import type { Store } from "../../ports/store.js";
import type { TableFiles } from "../../ports/tables.js";
import { workFolder } from "../../scratch/work-folder.js";
import { type ShardPlan, UNKEPT } from "./decide.js";

/** `--keep-rejected` on a lake that was made without it. */

interface UnkeptTools {
	store: Store;
	tables: TableFiles;
	scratch: string;
}

/**
 * The plan, with each shard that was done earlier to be processed once more where the lake lacks the bytes of one of its
 * rejected members, or has another number of them. Its receipt and its files come out as they are.
 */
export async function planUnkept(shards: ShardPlan[], tools: UnkeptTools): Promise<ShardPlan[]> {
	const kept = new Map<string, number>();
	for await (const { path, bytes } of tools.store.list(rejectedFile.folder)) kept.set(path, bytes);
	const planned: ShardPlan[] = [];
	const work = await workFolder(tools.scratch, "unkept");
	try {
		for (const plan of shards) {
			const { action, receipt } = plan;
			const redo = action === "reuse" && receipt !== null && (await lacks(receipt, kept, tools, work));
			planned.push(redo ? { ...plan, action: "process", reason: UNKEPT, receipt: null } : plan);
		}
		return planned;
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
