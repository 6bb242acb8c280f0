import { rm } from "node:fs/promises";
import { join } from "node:path";
import { FINDINGS, type FindingCode } from "../../schemas/codes.js";
import type { Receipt } from "../../schemas/records.js";
import { localTable } from "../local-table.js";
import type { Store, TableFiles } from "../ports.js";
import { workFolder } from "../work-folder.js";
import { keptPath } from "./keep-rejected.js";
import { type ShardPlan, UNKEPT } from "./plan.js";

/** `--keep-rejected` on a lake that was made without it. */

interface UnkeptTools {
	store: Store;
	tables: TableFiles;
	scratch: string;
}

/**
 * The plan, with each shard that was done earlier to be processed once more where the lake lacks the bytes of one of its
 * rejected members. Its receipt and its files come out as they are.
 */
export async function planUnkept(shards: ShardPlan[], tools: UnkeptTools): Promise<ShardPlan[]> {
	const kept = new Set<string>();
	for await (const { path } of tools.store.list("rejected")) kept.add(path);
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
	kept: Set<string>,
	{ store, tables }: UnkeptTools,
	work: string,
): Promise<boolean> {
	const codes = Object.keys(findings) as FindingCode[];
	if (codes.every((code) => keptPath({ ...FINDINGS[code], code, sha256: "" }) === null)) return false;
	for (const file of files.filter(({ table }) => table === "quarantine")) {
		const local = await localTable(file, store, join(work, "quarantine.parquet"));
		for await (const rows of tables.read(local, ["code", "severity", "sha256"])) {
			// These columns, of a file whose hash was just checked.
			const paths = (rows as unknown as Parameters<typeof keptPath>[0][]).map(keptPath);
			if (paths.some((path) => path !== null && !kept.has(path))) return true;
		}
	}
	return false;
}
