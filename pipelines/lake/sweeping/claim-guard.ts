import { LakeError } from "../../../schemas/errors.js";
import type { Snapshot, TableFile } from "../../../schemas/records.js";
import { each } from "../../each.js";
import type { Reader } from "../../ports/store.js";
import type { TableFiles } from "../../ports/tables.js";
import { objectFile, tableFile } from "../paths.js";
import { decideMarks, readSweep } from "./decisions.js";
import { listRecords, putMarks, readMarks, type VacuumRecords } from "./marks.js";
import { objectsNamed, rejectedNamed } from "./named-files.js";
import { storeTime } from "./store-clock.js";
import { STALE_SECONDS, type SweepStore, type SweepTools, takeOver } from "./sweep.js";

/**
 * The check that a publisher makes between its intent and its claim: does every file exist that the snapshot newly names,
 * and will it stay? Marks that hold any of these files are made void; files that a sweep holds count as gone. A vacuum
 * that looked before the intent existed cannot sweep after this: docs/decisions/0009-vacuum.md goes through the
 * interleavings.
 */

export interface ClaimTools extends Pick<SweepTools, "clock" | "signal"> {
	tables: TableFiles;
	/** Folder for this publish alone, removed here. */
	work: string;
}

/** A shard with a receipt that the base does not name. */
interface NewShard {
	shard: string;
	receipt: string;
	files: (TableFile & { table: string })[];
	/** Objects that its images table names; read only if vacuum has run in this lake. */
	objects: string[];
	/** Paths of bytes that its quarantine could have kept; no record says which were. */
	rejected: string[];
}

/** Seconds between two checks of another process's sweep. */
const WAIT_SECONDS = 2;
/** Concurrent checks of files. */
const AT_ONCE = 32;

/** Throws LAKE_SWEPT if a file is gone; receipts that name it are marked, so that the next plan redoes their shards. */
export async function guardClaim(
	store: SweepStore,
	base: Snapshot | null,
	next: Snapshot,
	tools: ClaimTools,
): Promise<void> {
	const shards = newShards(base, next);
	if (shards.length === 0) return;
	const records = await listRecords(store);
	const vacuumed = records.swept || records.marks.length > 0 || records.decided.size > 0;
	let missing = await missingFiles(store, shards);
	if (vacuumed && missing.size === 0) {
		await readObjects(shards, store, tools);
		const own = new Set(
			shards.flatMap(({ receipt, files, objects, rejected }) => [receipt, ...paths(files), ...objects, ...rejected]),
		);
		await keepFromVacuum(store, records, own, tools);
		// Files may have been deleted up to here, but not from now on.
		missing = new Set([...(await missingFiles(store, shards)), ...(await missingObjects(store, shards))]);
	}
	if (missing.size === 0) return;
	const broken = shards.filter(({ receipt, files, objects }) =>
		[receipt, ...paths(files), ...objects].some((path) => missing.has(path)),
	);
	await putMarks(
		store,
		broken.map(({ receipt }) => receipt),
	);
	const [path = ""] = missing;
	const names = broken.map(({ shard }) => shard).join(", ");
	throw new LakeError("LAKE_SWEPT", `Files of ${names} in ${store.name} are gone, though receipts name them.`, {
		path,
	});
}

function paths(files: TableFile[]): string[] {
	return files.map(({ path }) => path);
}

function newShards(base: Snapshot | null, next: Snapshot): NewShard[] {
	const known = new Set(base?.shards.map(({ receipt }) => receipt));
	return next.shards
		.filter(({ receipt }) => !known.has(receipt))
		.map(({ shard, receipt }) => {
			const files = Object.entries(next.tables).flatMap(([table, { files: all }]) => {
				const own = all.filter(({ path }) => tableFile.parse(path)?.shard === shard);
				return own.map((file) => ({ ...file, table }));
			});
			return { shard, receipt, files, objects: [], rejected: [] };
		});
}

/** Receipts and table files that are absent. */
async function missingFiles(store: Reader, shards: NewShard[]): Promise<Set<string>> {
	const files = shards.flatMap(({ receipt, files }) => [receipt, ...paths(files)]);
	const missing = new Set<string>();
	await each(files, AT_ONCE, async (path) => {
		if ((await store.stat(path)) === null) missing.add(path);
	});
	return missing;
}

async function readObjects(shards: NewShard[], store: Reader, { tables, work }: ClaimTools): Promise<void> {
	try {
		for (const one of shards) {
			for (const file of one.files) {
				if (file.table === "images") one.objects.push(...(await objectsNamed(file, { store, tables, work })));
				if (file.table === "quarantine") one.rejected.push(...(await rejectedNamed(file, { store, tables, work })));
			}
		}
	} catch (error) {
		// If a table is gone by now, the next check reports it.
		if ((await missingFiles(store, shards)).size === 0) throw error;
	}
}

/** Makes sure that no vacuum deletes any of these files after this. */
async function keepFromVacuum(
	store: SweepStore,
	{ marks, decided }: VacuumRecords,
	own: Set<string>,
	tools: ClaimTools,
): Promise<void> {
	for (const { id } of marks) {
		if (!(await readMarks(store, id)).some((path) => own.has(path))) continue;
		if (!decided.has(id) && (await decideMarks(store, id, []))) continue;
		for (;;) {
			const sweep = await readSweep(store, id);
			if (!sweep?.paths.some((path) => own.has(path))) break;
			// Another process deletes these, or did: wait for its end, or finish its sweep when it is stale.
			if (await takeOver(store, id, { now: await storeTime(store), stale: STALE_SECONDS }, tools)) break;
			await tools.clock.sleep(WAIT_SECONDS, tools.signal);
		}
	}
}

/** Objects that vacuum did not leave, found by one listing. */
async function missingObjects(store: Reader, shards: NewShard[]): Promise<Set<string>> {
	const missing = new Set(shards.flatMap(({ objects }) => objects));
	if (missing.size === 0) return missing;
	for await (const { path } of store.list(objectFile.folder)) missing.delete(path);
	return missing;
}
