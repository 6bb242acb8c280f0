import { randomUUID } from "node:crypto";
import { LakeError } from "../../../schemas/errors.js";
import { LAKE_FORMAT } from "../../../schemas/records.js";
import { FirstKept, Marks, Sweep } from "../../../schemas/writer-records.js";
import type { Reader, Records, Sweeper } from "../../ports/store.js";
import { vacuumFile } from "../paths.js";
import { parseRecord, type RecordSchema, recordBytes } from "../snapshot.js";

/**
 * What vacuums and publishers tell each other, in `.irlake/vacuum/`:
 *
 *     <id>.marks.json   files that nothing needed; deleted by a later vacuum, unless somebody needs them by then
 *     <id>.sweep.json   put once: these of them are deleted; or none, as a publisher was first
 *     first-kept.json   the oldest snapshot whose files are still all there
 *
 * docs/decisions/0009-vacuum.md says why that is enough.
 */
const { folder: FOLDER, firstKept: FIRST_KEPT, clock: CLOCK } = vacuumFile;

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

async function read<T>(store: Reader, path: string, schema: RecordSchema<T>): Promise<T | null> {
	const content = await store.get(path);
	return content && parse(schema, content, path, store);
}

/** A damaged record holds no data: deleting it is the cure, and the hint says what that does. */
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

/** What was read; where the record is damaged, the error that says so. */
export async function orDamage<T>(reading: Promise<T>): Promise<T | LakeError> {
	try {
		return await reading;
	} catch (error) {
		if (error instanceof LakeError && error.code === "LAKE_DAMAGED") return error;
		throw error;
	}
}

/** Reads every record, and tells of each that is damaged. */
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

/** The marked paths; none where the marks are gone meanwhile. */
export async function readMarks(store: Reader, id: string): Promise<string[]> {
	return (await read(store, vacuumFile.marks(id), Marks))?.paths ?? [];
}

/** What was decided to delete, receipts first; no paths where a publisher was first. */
interface DecidedSweep {
	paths: string[];
	/** When its owner last wrote it. */
	modified: number;
}

/** Null while nothing is decided, or all is over. */
export async function readSweep(store: Reader, id: string): Promise<DecidedSweep | null> {
	const file = await store.stat(vacuumFile.sweep(id));
	const sweep = file && (await read(store, vacuumFile.sweep(id), Sweep));
	return sweep && { paths: sweep.paths, modified: file.modified };
}

function sweepBytes(paths: string[]): Buffer {
	return recordBytes({ format: LAKE_FORMAT, owner: randomUUID(), paths });
}

/** Writes a sweep's record again, so that it is this process's from now on. False where it has changed, or is gone. */
export async function renewSweep(store: Reader & Records, id: string): Promise<boolean> {
	const seen = await store.get(vacuumFile.sweep(id));
	if (!seen) return false;
	const { paths } = parse(Sweep, seen, vacuumFile.sweep(id), store);
	return store.replace(vacuumFile.sweep(id), sweepBytes(paths), seen);
}

/** Marks files. */
export async function putMarks(store: Records, paths: string[]): Promise<void> {
	await store.putIfAbsent(vacuumFile.marks(randomUUID()), recordBytes({ format: LAKE_FORMAT, paths }));
}

/** Decides upon marks that stand, once and for all: true for the first who does. No paths: nothing is deleted. */
export function decideMarks(store: Records, id: string, paths: string[]): Promise<boolean> {
	return store.putIfAbsent(vacuumFile.sweep(id), sweepBytes(paths));
}

/** Whether marks stand. What was decided upon others is void: its vacuum came late, when another had ended them. */
export async function marksStand(store: Reader, id: string): Promise<boolean> {
	return (await store.stat(vacuumFile.marks(id))) !== null;
}

/** Removes marks and what was decided, in this order: see marksStand(). */
export async function endMarks(store: Sweeper, id: string): Promise<void> {
	await store.delete([vacuumFile.marks(id)]);
	await store.delete([vacuumFile.sweep(id)]);
}

/** The oldest snapshot whose files are all there: 1 of a lake that was never swept. */
export async function readFirstKept(store: Reader): Promise<number> {
	return (await read(store, FIRST_KEPT, FirstKept))?.first_kept ?? 1;
}

/** Says, before anything is deleted, that files of older snapshots may be missing. Never lowers it. */
export async function raiseFirstKept(store: Reader & Records, number: number): Promise<void> {
	for (;;) {
		const seen = await store.get(FIRST_KEPT);
		if (seen && parse(FirstKept, seen, FIRST_KEPT, store).first_kept >= number) return;
		const content = recordBytes({ format: LAKE_FORMAT, first_kept: number });
		if (await store.replace(FIRST_KEPT, content, seen)) return;
	}
}

/** What the storage's clock says, by a record that is written now. */
export async function storeTime(store: Reader & Records): Promise<number> {
	for (;;) {
		const seen = await store.get(CLOCK);
		if (await store.replace(CLOCK, recordBytes({ format: LAKE_FORMAT, id: randomUUID() }), seen)) break;
	}
	return (await store.stat(CLOCK))?.modified ?? 0;
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
