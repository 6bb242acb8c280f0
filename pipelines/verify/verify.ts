import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Snapshot, TableFile } from "../../schemas/records.js";
import type { Dataset } from "../dataset.js";
import { each } from "../each.js";
import { rejectedFile, tableFile, vacuumFile } from "../lake/paths.js";
import { IMAGES, tablesOf } from "../lake/tables.js";
import type { ImagePool } from "../ports/images.js";
import type { Reader } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";
import { checkObject, type ObjectRow } from "./check-object.js";
import { checkRecords } from "./check-records.js";
import { checkRejected } from "./check-rejected.js";
import { checkVacuum } from "./check-vacuum.js";
import { type Problem, Report } from "./report.js";

interface VerifyTools {
	dataset: Dataset;
	store: Reader;
	tables: TableFiles;
	/** Decodes every image again; null without `--deep`. */
	images: ImagePool | null;
	/** This run's own folder, made and removed here. */
	work: string;
	onObject(bytes: number): void;
	onObjects(count: number): void;
}

/** Objects read at once. */
const CONCURRENCY = 8;

/** Reports how a repair ended: written again (null), or why not. */
export type OnOutcome = (path: string, why: string | null) => Promise<void>;

/** Makes damaged files and objects again. Reports an outcome for every path given, and writes no others. */
export interface Mender {
	files(damaged: TableFile[], snapshots: Snapshot[], onOutcome: OnOutcome): Promise<void>;
	objects(damaged: ObjectRow[], snapshots: Snapshot[], onOutcome: OnOutcome): Promise<void>;
}

/**
 * Audits a lake against its own records. Null if there is no lake. Writes nothing, unless there is a mender: whatever that
 * repairs is read back before it counts.
 */
export async function verifyLake(
	tools: VerifyTools,
	signal: AbortSignal,
	mender: Mender | null = null,
): Promise<Report | null> {
	const report = new Report();
	const records = await checkRecords(tools.store, tools.dataset, report);
	if (!records) return null;
	const { snapshots } = records;
	const newest = snapshots.at(-1);
	const firstKept = await checkVacuum(tools.store, report, newest?.number ?? 1);
	const current = new Set(newest?.tables.images?.files.map(({ path }) => path));
	const files = filesOf(snapshots, firstKept);
	const objects = new Map<string, ObjectRow>();
	/** The newest snapshot's row of an object counts. */
	const addObject = (row: ObjectRow, file: TableFile): void => {
		if (current.has(file.path) || !objects.has(row.object_key)) objects.set(row.object_key, row);
	};
	await mkdir(tools.work, { recursive: true });
	try {
		for (const file of files.values()) {
			signal.throwIfAborted();
			await checkFile(file, tools, report, (row) => addObject(row, file));
		}
		// Before the objects, since the files name them.
		const damagedFiles = [...files.values()].filter(({ path }) => report.damaged.has(path));
		await mender?.files(damagedFiles, snapshots, async (path, why) => {
			const file = files.get(path);
			const check = (again: Report) => file && checkFile(file, tools, again, (row) => addObject(row, file));
			await readBack(report, path, why, check);
		});
		tools.onObjects(objects.size);
		await checkRejected(tools.store, report, signal);
		await checkObjects(objects, tools, report, signal);
		const damagedObjects = [...objects.values()].filter(({ object_key }) => report.damaged.has(object_key));
		await mender?.objects(damagedObjects, snapshots, async (path, why) => {
			const row = objects.get(path);
			await readBack(report, path, why, (again) => row && checkObject(row, tools, again, signal));
		});
		if (mender) report.unmendable(unmendable);
		report.sort();
	} finally {
		await rm(tools.work, { recursive: true, force: true });
	}
	return report;
}

/** Every table file from this snapshot on, by path: vacuum may have deleted those of earlier ones. */
function filesOf(snapshots: Snapshot[], firstKept: number): Map<string, TableFile> {
	const kept = snapshots.filter(({ number }) => number >= firstKept);
	const files = kept.flatMap(({ tables }) => Object.values(tables).flatMap((table) => table.files));
	return new Map(files.map((file) => [file.path, file]));
}

function unmendable({ code, path }: Problem): string {
	if (path.startsWith(`${rejectedFile.folder}/`)) return "delete it; mirror --keep-rejected brings it again";
	if (path.startsWith(`${vacuumFile.folder}/`)) return "it is for you to delete";
	if (code.startsWith("OBJECT_")) return "its bytes are those recorded; the table or the decoder is wrong";
	return "a record is never made by guess; restore it from a copy of the lake, or mirror into a new one";
}

/** Checks again what was written, like another audit. */
async function readBack(
	report: Report,
	path: string,
	why: string | null,
	check: (again: Report) => Promise<void> | undefined,
): Promise<void> {
	const again = new Report();
	if (why === null) await check(again);
	const [problem] = again.problems;
	if (why === null && !problem) report.mended(path);
	else report.remains(path, why ?? `read back, ${problem?.detail}`);
}

/** Checks one parquet file's size, SHA-256 and rows, reading it once; calls `onObject` for each row of `images`. */
async function checkFile(
	file: TableFile,
	{ dataset, store, tables, work }: VerifyTools,
	report: Report,
	onObject: (row: ObjectRow) => void,
): Promise<void> {
	const found = await store.stat(file.path);
	report.checked.files++;
	if (!found) return report.damage("FILE_MISSING", file.path, "it is not there");
	if (found.bytes !== file.bytes) {
		return report.damage("FILE_SIZE", file.path, `it has ${found.bytes} bytes, not ${file.bytes}`);
	}
	const copy = join(work, "table.parquet");
	const hash = createHash("sha256");
	const source = await store.read(file.path);
	source.on("data", (chunk: Buffer) => hash.update(chunk));
	await pipeline(source, createWriteStream(copy));
	report.checked.bytes += file.bytes;
	const sha256 = hash.digest("hex");
	if (sha256 !== file.sha256)
		return report.damage("FILE_HASH", file.path, `its SHA-256 is ${sha256}, not ${file.sha256}`);
	const name = tableFile.parse(file.path)?.table;
	const table = tablesOf(dataset).find((one) => one.name === name);
	const isImages = name === IMAGES;
	let rows = 0;
	const columns = isImages ? OBJECT_COLUMNS : (table?.key.slice(0, 1) ?? []);
	for await (const batch of tables.read(copy, columns)) {
		rows += batch.length;
		if (!isImages) continue;
		for (const row of batch) onObject(row as unknown as ObjectRow); // these columns, of a file whose hash was just checked
	}
	if (rows !== file.rows) report.add("COUNT_MISMATCH", file.path, `it has ${rows} rows, not ${file.rows}`);
}

const OBJECT_COLUMNS = [
	"object_key",
	"sha256",
	"bytes",
	"format",
	"width",
	"height",
	"source_sha256",
	"pixel_sha256",
	"dhash",
];

async function checkObjects(
	objects: Map<string, ObjectRow>,
	tools: VerifyTools,
	report: Report,
	signal: AbortSignal,
): Promise<void> {
	const check = async (row: ObjectRow, stop: AbortSignal): Promise<void> => {
		await checkObject(row, tools, report, stop);
		tools.onObject(row.bytes);
	};
	await each(objects.values(), CONCURRENCY, check, signal);
}
