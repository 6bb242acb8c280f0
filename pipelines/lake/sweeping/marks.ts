import { randomUUID } from "node:crypto";
import { LAKE_FORMAT } from "../../../schemas/records.js";
import { Marks } from "../../../schemas/writer-records.js";
import type { Reader, Records } from "../../ports/store.js";
import { vacuumFile } from "../paths.js";
import { recordBytes } from "../snapshot.js";
import { readSweep } from "./decisions.js";
import { readVacuumRecord } from "./read-record.js";

const { folder: FOLDER, firstKept: FIRST_KEPT } = vacuumFile;

/** Marks that were put, without their paths. */
interface Mark {
	id: string;
	/** When, by the storage's clock. */
	modified: number;
}

/** Which records there are. */
export interface VacuumRecords {
	marks: Mark[];
	/** Ids that were decided upon; their marks may be gone. */
	decided: Set<string>;
	/** Whether anything was ever deleted. */
	swept: boolean;
}

/** One listing. */
export async function listRecords(store: Reader): Promise<VacuumRecords> {
	const records: VacuumRecords = { marks: [], decided: new Set(), swept: false };
	for await (const { path, modified } of store.list(FOLDER)) {
		const record = vacuumFile.parse(path);
		if (record?.kind === "marks") records.marks.push({ id: record.id, modified });
		if (record?.kind === "sweep") records.decided.add(record.id);
		if (path === FIRST_KEPT) records.swept = true;
	}
	records.marks.sort((a, b) => a.modified - b.modified || (a.id < b.id ? -1 : 1));
	return records;
}

/** The marked paths; none where the marks are gone meanwhile. */
export async function readMarks(store: Reader, id: string): Promise<string[]> {
	return (await readVacuumRecord(store, vacuumFile.marks(id), Marks))?.paths ?? [];
}

/** Marks files. */
export async function putMarks(store: Records, paths: string[]): Promise<void> {
	await store.putIfAbsent(vacuumFile.marks(randomUUID()), recordBytes({ format: LAKE_FORMAT, paths }));
}

/** Whether marks stand. What was decided upon others is void: its vacuum came late, when another had ended them. */
export async function marksStand(store: Reader, id: string): Promise<boolean> {
	return (await store.stat(vacuumFile.marks(id))) !== null;
}

/** Those of the receipts that are marked, and not written again since. A marked receipt counts as absent. */
export async function markedReceipts(store: Reader, receipts: string[]): Promise<Set<string>> {
	const marked = new Set<string>();
	if (receipts.length === 0) return marked;
	const { marks, decided } = await listRecords(store);
	for (const { id, modified } of marks) {
		if (decided.has(id) && (await readSweep(store, id))?.paths.length === 0) continue;
		const paths = new Set(await readMarks(store, id));
		for (const path of receipts) {
			if (!paths.has(path)) continue;
			const file = await store.stat(path);
			if (file && file.modified < modified) marked.add(path);
		}
	}
	return marked;
}
