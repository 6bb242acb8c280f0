import { LakeError } from "../../schemas/errors.js";
import { LAKE_FORMAT, type Snapshot } from "../../schemas/records.js";
import type { Table } from "../../schemas/tables.js";
import type { Reader, Records } from "../ports/store.js";
import { deltaCommit, snapshotOfCommit } from "./delta-log.js";
import { LATEST, logFile, snapshotFile } from "./paths.js";
import { readLatest, readSnapshot, recordBytes, type StoredSnapshot, sha256Of } from "./snapshot.js";
import { IMAGES, QUARANTINE } from "./tables.js";

/**
 * Publishing: snapshot file → one commit to each table's log → `latest.json`. The put-if-absent of the
 * commit to `images` is the claim to a number; from then on any process can finish what this one began.
 */

const ATTEMPTS = 5;

/**
 * Publishes what `plan` makes of the newest snapshot; null from `plan` means that nothing is left to do.
 * A claim lost to another publisher is planned again on top of the winner's snapshot.
 * @param tables in the order of their commits
 * @param guard called when the snapshot's file, the intent, is there, right before the claim; throws where a file
 * that the snapshot names and its base does not is gone
 * @returns the published snapshot, or null when up to date
 * @throws LAKE_CONFLICT after the fifth lost claim
 */
export async function publish(
	store: Reader & Records,
	tables: readonly Table[],
	plan: (base: StoredSnapshot | null) => Promise<Snapshot | null>,
	guard: (base: Snapshot | null, next: Snapshot) => Promise<void>,
): Promise<StoredSnapshot | null> {
	const [claimed] = tables;
	if (claimed === undefined) throw new LakeError("INTERNAL", "The lake has no tables, so no log to claim a number in.");
	for (let attempt = 0; attempt <= ATTEMPTS; attempt++) {
		const base = await finishClaimedSnapshots(store, tables);
		const next = await plan(base);
		if (!next) return null;
		const content = recordBytes(next);
		const path = snapshotFile.path(next.number, sha256Of(content));
		await store.putIfAbsent(path, content);
		await guard(base?.snapshot ?? null, next);
		if (!(await commitTable(store, claimed, { base: base?.snapshot ?? null, next, path }))) continue;
		const stored = await readSnapshot(store, path);
		await finish(store, tables, base?.snapshot ?? null, stored);
		return stored;
	}
	throw new LakeError("LAKE_CONFLICT", `Other publishers of ${store.name} were faster, ${ATTEMPTS} times in a row.`);
}

/** Finishes every snapshot that was claimed and not completed, and returns the newest; null of an empty lake. */
export async function finishClaimedSnapshots(
	store: Reader & Records,
	tables: readonly Table[],
): Promise<StoredSnapshot | null> {
	const latest = await readLatest(store);
	let newest = latest ? await readSnapshot(store, latest.latest.snapshot, latest.latest.sha256) : null;
	for (;;) {
		const claimed = await claimedSnapshot(store, (newest?.snapshot.number ?? 0) + 1);
		if (!claimed) return newest;
		await finish(store, tables, newest?.snapshot ?? null, claimed);
		newest = claimed;
	}
}

/** The snapshot that holds a number, by the log of `images`; null while nobody claimed it. */
export async function claimedSnapshot(store: Reader, number: number): Promise<StoredSnapshot | null> {
	const log = logFile.path(IMAGES, number - 1);
	const commit = await store.get(log);
	if (!commit) return null;
	const path = snapshotOfCommit(commit);
	if (path === null) throw new LakeError("LAKE_DAMAGED", `${log} in ${store.name} names no snapshot.`, { path: log });
	return readSnapshot(store, path);
}

/** True when the number is this snapshot's, be it by an earlier attempt with equal bytes. */
async function commitTable(
	store: Reader & Records,
	table: Table,
	{ base, next, path }: { base: Snapshot | null; next: Snapshot; path: string },
): Promise<boolean> {
	const log = logFile.path(table.name, next.number - 1);
	if (await store.putIfAbsent(log, deltaCommit(table, base, next, path))) return true;
	const present = await store.get(log);
	// Another release may have written the same snapshot's commit in other words: it is the same version.
	return present !== null && snapshotOfCommit(present) === path;
}

/** The remaining commits, then `latest.json`. Does again what is done already, with the same bytes. */
async function finish(
	store: Reader & Records,
	tables: readonly Table[],
	base: Snapshot | null,
	{ path, sha256, snapshot }: StoredSnapshot,
): Promise<void> {
	for (const table of tables) {
		if (await commitTable(store, table, { base, next: snapshot, path })) continue;
		const log = logFile.path(table.name, snapshot.number - 1);
		throw new LakeError("LAKE_DAMAGED", `${log} in ${store.name} belongs to another snapshot than ${path}.`, {
			path: log,
		});
	}
	await moveLatest(store, { path, sha256, snapshot });
}

/**
 * Moves `latest.json` forward to a complete snapshot, never back. A store that replaces by rename cannot compare
 * and swap: a process that slept between its look and its rename may put an older record over a newer one, so
 * after each write the logs are looked at again, and the newest complete snapshot is put in its place.
 */
async function moveLatest(store: Reader & Records, from: StoredSnapshot): Promise<void> {
	let target = from;
	for (;;) {
		target = await newestComplete(store, target);
		const { path, sha256, snapshot } = target;
		const present = await readLatest(store);
		if (present && present.latest.number >= snapshot.number) return;
		const content = recordBytes({ format: LAKE_FORMAT, number: snapshot.number, snapshot: path, sha256 });
		const written = await store.replace(LATEST, content, present?.content ?? null);
		if (written && (await store.get(logFile.path(QUARANTINE, snapshot.number))) === null) return;
	}
}

/** The newest snapshot whose every table has its commit, starting from one that has. */
async function newestComplete(store: Reader, from: StoredSnapshot): Promise<StoredSnapshot> {
	let newest = from;
	while ((await store.get(logFile.path(QUARANTINE, newest.snapshot.number))) !== null) {
		const next = await claimedSnapshot(store, newest.snapshot.number + 1);
		if (!next) break;
		newest = next;
	}
	return newest;
}
