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
 * What a publisher asks between its intent and its claim: is all that the snapshot newly names there, and does it stay?
 * Marks that hold any of it are made void; of a sweep that holds any of it, nothing is relied upon. A vacuum that looked
 * before the intent was there cannot sweep after this: docs/decisions/0009-vacuum.md goes through the interleavings.
 */

export interface ClaimTools extends Pick<SweepTools, "clock" | "signal"> {
	tables: TableFiles;
	/** Folder of this publish's own, removed here. */
	work: string;
}

/** A shard that the base does not name like this. */
interface NewShard {
	shard: string;
	receipt: string;
	files: (TableFile & { table: string })[];
	/** What its images table names; read only where vacuum has been at work. */
	objects: string[];
	/** Where bytes that its quarantine names would be; no record says which of them were kept. */
	rejected: string[];
}

/** Between two looks at a sweep that is another's. */
const WAIT_SECONDS = 2;
/** How many files are asked about at once. */
const AT_ONCE = 32;

/** Throws LAKE_SWEPT where something is gone; receipts that promise it are marked, so that the next plan does them anew. */
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
		// Anything may have gone until now; from now on nothing does.
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

/** Receipts and table files that are not there. */
async function missingFiles(store: Reader, shards: NewShard[]): Promise<Set<string>> {
	const asked = shards.flatMap(({ receipt, files }) => [receipt, ...paths(files)]);
	const missing = new Set<string>();
	await each(asked, AT_ONCE, async (path) => {
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
		// A table that is gone by now is found missing next.
		if ((await missingFiles(store, shards)).size === 0) throw error;
	}
}

/** Sees to it that no vacuum deletes any of these files after this. */
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
			// Another is at it, or was. What it takes is gone when it is over.
			if (await takeOver(store, id, { now: await storeTime(store), stale: STALE_SECONDS }, tools)) break;
			await tools.clock.sleep(WAIT_SECONDS, tools.signal);
		}
	}
}

/** One listing: what vacuum left. */
async function missingObjects(store: Reader, shards: NewShard[]): Promise<Set<string>> {
	const missing = new Set(shards.flatMap(({ objects }) => objects));
	if (missing.size === 0) return missing;
	for await (const { path } of store.list(objectFile.folder)) missing.delete(path);
	return missing;
}
