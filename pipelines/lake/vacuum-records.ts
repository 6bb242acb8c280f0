import { randomUUID } from "node:crypto";
import { LakeError } from "../../schemas/errors.js";
import { LAKE_FORMAT } from "../../schemas/records.js";
import { FirstKept, Marks, Sweep } from "../../schemas/writer-records.js";
import type { Reader, Records, Sweeper } from "../ports/store.js";
import { vacuumFile } from "./paths.js";
import { parseRecord, type RecordSchema, recordBytes } from "./snapshot.js";

/**
 * The records by which vacuums and publishers coordinate, in `.irlake/vacuum/`:
 *
 *     <id>.marks.json   files that nothing needed; a later vacuum deletes them, unless something needs them by then
 *     <id>.sweep.json   written once: which of them are deleted; none if a publisher came first
 *     first-kept.json   the oldest snapshot whose files all still exist
 *
 * docs/decisions/0009-vacuum.md explains why that is enough.
 */
const { folder: FOLDER, firstKept: FIRST_KEPT, clock: CLOCK } = vacuumFile;

/** A marks file, without its paths. */
export interface Mark {
	id: string;
	/** When it was written, by the storage's clock. */
	modified: number;
}

/** The records that exist. */
export interface VacuumRecords {
	marks: Mark[];
	/** Ids with a decision; their marks may be gone. */
	decided: Set<string>;
	/** Whether anything was ever deleted. */
	swept: boolean;
}

/** Costs one listing. */
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

async function read<T>(store: Reader, path: string, schema: RecordSchema<T>): Promise<T | null> {
	const content = await store.get(path);
	return content && parse(schema, content, path, store);
}

/** A damaged record holds no data, so the hint says to delete it and what that does. */
function parse<T>(schema: RecordSchema<T>, content: Buffer, path: string, store: Reader): T {
	try {
		return parseRecord(schema, content, path, store);
	} catch (error) {
		if (!(error instanceof LakeError) || error.code !== "LAKE_DAMAGED") throw error;
		throw new LakeError("LAKE_DAMAGED", error.message, { path, cause: error, hint: cureOf(path) });
	}
}

function cureOf(path: string): string {
	if (path === FIRST_KEPT)
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

/** The value read, or the LAKE_DAMAGED error if the record is damaged. */
export async function orDamage<T>(reading: Promise<T>): Promise<T | LakeError> {
	try {
		return await reading;
	} catch (error) {
		if (error instanceof LakeError && error.code === "LAKE_DAMAGED") return error;
		throw error;
	}
}

/** Reads every record, and returns an error for each damaged one. */
export async function damagedRecords(store: Reader): Promise<LakeError[]> {
	const { marks, decided, swept } = await listRecords(store);
	const reads: (() => Promise<unknown>)[] = [
		...(swept ? [() => readFirstKept(store)] : []),
		...marks.map(
			({ id }) =>
				() =>
					readMarks(store, id),
		),
		...[...decided].map((id) => () => readSweep(store, id)),
	];
	const damaged: LakeError[] = [];
	for (const one of reads) {
		const found = await orDamage(one());
		if (found instanceof LakeError) damaged.push(found);
	}
	return damaged;
}

/** The marked paths; none if the marks have gone in the meantime. */
export async function readMarks(store: Reader, id: string): Promise<string[]> {
	return (await read(store, vacuumFile.marks(id), Marks))?.paths ?? [];
}

/** The decision of what to delete, receipts first; no paths if a publisher came first. */
export interface DecidedSweep {
	paths: string[];
	/** When its owner last wrote it. */
	modified: number;
}

/** Null before a decision, and after everything is done. */
export async function readSweep(store: Reader, id: string): Promise<DecidedSweep | null> {
	const file = await store.stat(vacuumFile.sweep(id));
	const sweep = file && (await read(store, vacuumFile.sweep(id), Sweep));
	return sweep && { paths: sweep.paths, modified: file.modified };
}

function sweepBytes(paths: string[]): Buffer {
	return recordBytes({ format: LAKE_FORMAT, owner: randomUUID(), paths });
}

/** Rewrites a sweep's record to make it this process's. False if it has changed or is gone. */
export async function renewSweep(store: Reader & Records, id: string): Promise<boolean> {
	const seen = await store.get(vacuumFile.sweep(id));
	if (!seen) return false;
	const { paths } = parse(Sweep, seen, vacuumFile.sweep(id), store);
	return store.replace(vacuumFile.sweep(id), sweepBytes(paths), seen);
}

/** Marks files for deletion by a later vacuum. */
export async function putMarks(store: Records, paths: string[]): Promise<void> {
	await store.putIfAbsent(vacuumFile.marks(randomUUID()), recordBytes({ format: LAKE_FORMAT, paths }));
}

/** Decides, once and for all, which marked files are deleted; true for the first caller. No paths: nothing is deleted. */
export function decideMarks(store: Records, id: string, paths: string[]): Promise<boolean> {
	return store.putIfAbsent(vacuumFile.sweep(id), sweepBytes(paths));
}

/** Whether marks still exist. A decision without marks is void: another vacuum had already finished with them. */
export async function marksStand(store: Reader, id: string): Promise<boolean> {
	return (await store.stat(vacuumFile.marks(id))) !== null;
}

/** Removes marks, then their decision. The order matters: see marksStand(). */
export async function endMarks(store: Sweeper, id: string): Promise<void> {
	await store.delete([vacuumFile.marks(id)]);
	await store.delete([vacuumFile.sweep(id)]);
}

/** The oldest snapshot whose files all exist; 1 if the lake was never swept. */
export async function readFirstKept(store: Reader): Promise<number> {
	return (await read(store, FIRST_KEPT, FirstKept))?.first_kept ?? 1;
}

/** Records, before anything is deleted, that files of older snapshots may be missing. Never lowers the number. */
export async function raiseFirstKept(store: Reader & Records, number: number): Promise<void> {
	for (;;) {
		const seen = await store.get(FIRST_KEPT);
		if (seen && parse(FirstKept, seen, FIRST_KEPT, store).first_kept >= number) return;
		const content = recordBytes({ format: LAKE_FORMAT, first_kept: number });
		if (await store.replace(FIRST_KEPT, content, seen)) return;
	}
}

/** The time by the storage's clock, read from a record that is written now. */
export async function storeTime(store: Reader & Records): Promise<number> {
	for (;;) {
		const seen = await store.get(CLOCK);
		if (await store.replace(CLOCK, recordBytes({ format: LAKE_FORMAT, id: randomUUID() }), seen)) break;
	}
	return (await store.stat(CLOCK))?.modified ?? 0;
}

/** The receipts that are marked and were not written again since. A marked receipt counts as absent. */
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
