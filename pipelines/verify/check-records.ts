import { LakeError } from "../../schemas/errors.js";
import { canonicalJson, type Receipt, type Snapshot } from "../../schemas/records.js";
import type { Table } from "../../schemas/tables.js";
import type { Dataset } from "../dataset.js";
import { deltaCommit, snapshotOfCommit } from "../lake/delta-log.js";
import { LATEST, logFile } from "../lake/paths.js";
import { claimedSnapshot } from "../lake/publish.js";
import { readReceipt, sumCounts } from "../lake/receipt.js";
import { readLatestSnapshot, type StoredSnapshot } from "../lake/snapshot.js";
import { IMAGES, QUARANTINE, tablesOf } from "../lake/tables.js";
import type { Reader } from "../ports/store.js";
import type { Report } from "./report.js";

/** Every snapshot from the first to the newest, and the newest one's receipts. */
interface CheckedRecords {
	snapshots: Snapshot[];
	/** By work id, of the newest snapshot. */
	receipts: Map<string, Receipt>;
}

interface RecordTools {
	store: Reader;
	tables: readonly Table[];
	report: Report;
}

/** Reads all records of a lake, and reports those that contradict each other. Null for an empty lake. */
export async function checkRecords(store: Reader, dataset: Dataset, report: Report): Promise<CheckedRecords | null> {
	const tables = tablesOf(dataset);
	const tools: RecordTools = { store, tables, report };
	const latest = await reportDamage(report, () => readLatestSnapshot(store));
	if (latest === undefined) return { snapshots: [], receipts: new Map() };
	if (latest === null) {
		// If all tables have their first commit, a publish is at its last step, or the record was lost.
		const logs = await Promise.all(tables.map(({ name }) => store.stat(logFile.path(name, 0))));
		if (!logs.every(Boolean)) return null;
		report.add("RECORD_INVALID", LATEST, "it is missing, though a snapshot was published");
		return { snapshots: [], receipts: new Map() };
	}
	const snapshots = await checkHistory(tools, latest);
	for (const { name } of tables) await checkVersions(store, name, latest.snapshot.number, report);
	const receipts = await checkReceipts(tools, latest);
	return { snapshots, receipts };
}

/** Beyond the newest snapshot, a table may have the version being published, but none of another writer. */
async function checkVersions(store: Reader, table: string, number: number, report: Report): Promise<void> {
	for await (const { path } of store.list(logFile.folder(table))) {
		const commit = logFile.parse(path);
		if (!commit || commit.version < number) continue;
		const content = await store.get(path);
		const known = content !== null && snapshotOfCommit(content) !== null;
		if (known && commit.version === number) continue;
		report.add("LOG_MISMATCH", path, `no snapshot stands behind it; the newest one is ${number}`);
	}
}

/** The result of `read`, or undefined after reporting a damaged record. */
async function reportDamage<T>(report: Report, read: () => Promise<T>): Promise<T | undefined> {
	try {
		return await read();
	} catch (error) {
		if (!(error instanceof LakeError) || error.code !== "LAKE_DAMAGED") throw error;
		const path = error.path ?? LATEST;
		report.add(logFile.parse(path) ? "LOG_MISMATCH" : "RECORD_INVALID", path, error.message);
		return undefined;
	}
}

async function checkHistory(tools: RecordTools, latest: StoredSnapshot): Promise<Snapshot[]> {
	const { store, report } = tools;
	const found: Snapshot[] = [];
	let base: Snapshot | null = null;
	for (let number = 1; number <= latest.snapshot.number; number++) {
		const stored = await reportDamage(report, () => claimedSnapshot(store, number));
		if (stored === null) report.add("LOG_MISMATCH", logFile.path("images", number - 1), "the commit is missing");
		const known: StoredSnapshot | null = stored ?? (number === latest.snapshot.number ? latest : null);
		if (known) {
			report.checked.snapshots++;
			found.push(known.snapshot);
			if (base || number === 1) await checkLogs(tools, base, known);
		}
		base = known?.snapshot ?? null;
	}
	const newest = found.at(-1);
	if (newest && canonicalJson(newest) !== canonicalJson(latest.snapshot)) {
		report.add("LOG_MISMATCH", latest.path, "latest.json names another snapshot than the tables' logs");
	}
	return found;
}

/** Each table's commit must lead from the previous snapshot to this one. */
async function checkLogs(
	{ store, tables, report }: RecordTools,
	base: Snapshot | null,
	stored: StoredSnapshot,
): Promise<void> {
	for (const table of tables) {
		const path = logFile.path(table.name, stored.snapshot.number - 1);
		const content = await store.get(path);
		if (!content) {
			if (table.name !== IMAGES) report.add("LOG_MISMATCH", path, "the commit is missing");
			continue;
		}
		const expected = deltaCommit(table, base, stored.snapshot, stored.path);
		if (content.equals(expected)) continue;
		if (snapshotOfCommit(content) === stored.path && sameActions(content, expected)) continue;
		report.add("LOG_MISMATCH", path, `it does not say what snapshot ${stored.snapshot.number} says`);
	}
}

/** Other releases may order or format a commit differently, but it must add and remove the same. */
function sameActions(a: Buffer, b: Buffer): boolean {
	try {
		return actions(a) === actions(b);
	} catch {
		return false;
	}
}

function actions(commit: Buffer): string {
	const lines = commit.toString("utf8").split("\n").filter(Boolean);
	const told = lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown> | undefined>);
	return told
		.flatMap(({ add, remove, protocol, metaData }) => {
			if (add) {
				const { path, size, stats, partitionValues, deletionVector } = add;
				return canonicalJson({ path, size, stats, partitionValues, deletionVector });
			}
			if (remove) return `remove ${remove.path}`;
			return protocol || metaData ? canonicalJson(protocol ?? metaData) : [];
		})
		.sort()
		.join("\n");
}

async function checkReceipts(tools: RecordTools, newest: StoredSnapshot): Promise<Map<string, Receipt>> {
	const { store, report } = tools;
	const { snapshot } = newest;
	const receipts = new Map<string, Receipt>();
	for (const { shard, work_id, receipt: path } of snapshot.shards) {
		const receipt = await reportDamage(report, () => readReceipt(store, path));
		if (receipt === null) report.add("RECORD_INVALID", path, "the receipt is missing");
		if (!receipt) continue;
		report.checked.receipts++;
		if (receipt.work_id !== work_id || receipt.shard !== shard) {
			report.add("RECORD_INVALID", path, `it is no receipt of ${shard} with this work id`);
		}
		if (canonicalJson(receipt.settings) !== canonicalJson(snapshot.settings)) {
			report.add("RECORD_INVALID", path, "its settings are not the snapshot's");
		}
		checkCounts(path, receipt, report);
		if (receipt.inputs.zip_hash_checked === false) report.checked.zips_unchecked++;
		receipts.set(work_id, receipt);
	}
	if (receipts.size === snapshot.shards.length) checkSums(newest, receipts, tools);
	return receipts;
}

/** What came in must have been published, rejected, orphaned or unselected. */
function checkCounts(path: string, { counts, settings }: Receipt, report: Report): void {
	const selective = settings.where !== null;
	if (selective !== (counts.rows_unselected !== undefined) || selective !== (counts.members_unselected !== undefined)) {
		const without = selective ? "lacks" : "has";
		report.add("COUNT_MISMATCH", path, `it ${without} counts of what a predicate did not choose`);
	}
	const rows = counts.rows_published + counts.rows_rejected + (counts.rows_unselected ?? 0);
	if (rows !== counts.rows_in)
		report.add("COUNT_MISMATCH", path, `rows_in is ${counts.rows_in}, the parts sum to ${rows}`);
	const members =
		counts.members_published + counts.members_rejected + counts.orphans + (counts.members_unselected ?? 0);
	if (members !== counts.members_in) {
		report.add("COUNT_MISMATCH", path, `members_in is ${counts.members_in}, the parts sum to ${members}`);
	}
}

function checkSums(
	{ snapshot, path: name }: StoredSnapshot,
	receipts: Map<string, Receipt>,
	{ tables, report }: RecordTools,
): void {
	const all = snapshot.shards.flatMap(({ work_id }) => receipts.get(work_id) ?? []);
	for (const [key, value] of Object.entries(sumCounts(all))) {
		const told = snapshot.counts[key];
		if (told !== value) report.add("COUNT_MISMATCH", name, `${key} is ${told}, the receipts sum to ${value}`);
	}
	if (snapshot.counts.shards !== all.length) {
		report.add("COUNT_MISMATCH", name, `shards is ${snapshot.counts.shards}, there are ${all.length}`);
	}
	for (const { name: table } of tables) {
		const made = all.flatMap(({ files }) => files.filter((file) => file.table === table));
		const told = made.map(({ path, bytes, sha256, rows }) => ({ path, bytes, sha256, rows }));
		if (canonicalJson(snapshot.tables[table]?.files ?? []) !== canonicalJson(told))
			report.add("LOG_MISMATCH", name, `its files of ${table} are not the receipts' files`);
		checkRows(table, all, report, name);
	}
}

/** Compares the rows of a table's files with the receipts' counts. */
function checkRows(table: string, receipts: Receipt[], report: Report, name: string): void {
	for (const { shard, counts, findings, files } of receipts) {
		const rows = files.filter((file) => file.table === table).reduce((sum, file) => sum + file.rows, 0);
		const found = Object.values(findings).reduce((sum, count) => sum + (count ?? 0), 0);
		const told = table === IMAGES ? counts.rows_published : table === QUARANTINE ? found : counts[table];
		if (told !== undefined && rows !== told)
			report.add("COUNT_MISMATCH", name, `${shard}: ${table} has ${rows} rows, the receipt counts ${told}`);
	}
}
