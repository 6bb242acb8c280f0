import { createHash } from "node:crypto";
import { LakeError } from "../../schemas/errors.js";
import { Latest, recordText, Snapshot } from "../../schemas/records.js";
import type { LakeFile, Reader } from "../ports/store.js";
import { LATEST, snapshotFile } from "./paths.js";

/** Reading a lake's records. Writes nothing. */

/** A snapshot with the path and the bytes it was read from. */
export interface StoredSnapshot {
	path: string;
	sha256: string;
	snapshot: Snapshot;
}

export function sha256Of(content: Buffer | string): string {
	return createHash("sha256").update(content).digest("hex");
}

/** What a record's schema can do. */
export interface RecordSchema<T> {
	safeParse(
		value: unknown,
	): { success: true; data: T } | { success: false; error: { issues: { path: PropertyKey[] }[] } };
}

/** Reads and checks a record. Throws LAKE_DAMAGED when it is not what its schema says. */
export function parseRecord<T>(schema: RecordSchema<T>, content: Buffer, path: string, store: Pick<Reader, "name">): T {
	let value: unknown;
	try {
		value = JSON.parse(content.toString("utf8"));
	} catch (cause) {
		throw new LakeError("LAKE_DAMAGED", `${path} in ${store.name} is not JSON.`, { path, cause });
	}
	if (isNewer(value)) {
		throw new LakeError("LAKE_UNSUPPORTED", `${path} in ${store.name} has a newer format than this release knows.`, {
			path,
		});
	}
	const parsed = schema.safeParse(value);
	if (parsed.success) return parsed.data;
	const where = parsed.error.issues[0]?.path.join(".") || "the whole";
	throw new LakeError("LAKE_DAMAGED", `${path} in ${store.name} is not a valid record: see ${where}.`, { path });
}

function isNewer(value: unknown): boolean {
	const format = (value as { format?: unknown } | null)?.format;
	return typeof format === "number" && format > 1;
}

/** `latest.json` as it stands, and its bytes for a later compare-and-swap; null of a lake never published. */
export async function readLatest(store: Reader): Promise<{ latest: Latest; content: Buffer } | null> {
	const content = await store.get(LATEST);
	if (!content) return null;
	return { latest: parseRecord(Latest, content, LATEST, store), content };
}

/** Reads a snapshot and holds it against its name, and against `sha256` where that is known. */
export async function readSnapshot(store: Reader, path: string, sha256?: string): Promise<StoredSnapshot> {
	const content = await store.get(path);
	if (!content) throw new LakeError("LAKE_DAMAGED", `${path} is missing in ${store.name}.`, { path });
	const found = sha256Of(content);
	const snapshot = parseRecord(Snapshot, content, path, store);
	if (path !== snapshotFile.path(snapshot.number, found) || (sha256 !== undefined && sha256 !== found)) {
		throw new LakeError("LAKE_DAMAGED", `The bytes of ${path} in ${store.name} do not have the hash in its name.`, {
			path,
		});
	}
	return { path, sha256: found, snapshot };
}

/** The snapshot that `latest.json` names, or null. */
export async function readLatestSnapshot(store: Reader): Promise<StoredSnapshot | null> {
	const found = await readLatest(store);
	if (!found) return null;
	const stored = await readSnapshot(store, found.latest.snapshot, found.latest.sha256);
	if (stored.snapshot.number !== found.latest.number) {
		throw new LakeError(
			"LAKE_DAMAGED",
			`${LATEST} in ${store.name} and the snapshot it names have different numbers.`,
			{
				path: LATEST,
			},
		);
	}
	return stored;
}

/** Paths of every snapshot file, by number; a number may have several, of which one was published. */
export async function snapshotPaths(store: Reader): Promise<(LakeFile & { number: number })[]> {
	const found: (LakeFile & { number: number })[] = [];
	for await (const file of store.list(snapshotFile.folder)) {
		const parts = snapshotFile.parse(file.path);
		if (parts) found.push({ ...file, number: parts.number });
	}
	return found.sort((a, b) => a.number - b.number || (a.path < b.path ? -1 : 1));
}

export function recordBytes(record: unknown): Buffer {
	return Buffer.from(recordText(record));
}
