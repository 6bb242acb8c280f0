import { join } from "node:path";
import { LakeError } from "../../schemas/errors.js";
import type { Receipt, Snapshot } from "../../schemas/records.js";
import type { Settings } from "../../schemas/settings.js";
import { localTable } from "../lake/local-table.js";
import { tableFile } from "../lake/paths.js";
import { readReceipt } from "../lake/receipt.js";
import type { Reader } from "../ports/store.js";
import type { TableFiles } from "../ports/tables.js";

/** Finds the origin of damaged files in the lake's own records. */

/** A shard of a snapshot, and the source that it was read from. */
export interface ShardOrigin {
	shard: string;
	uri: string;
	/** The source's commit; null for a folder. */
	commit: string | null;
	settings: Settings;
	/** Path of its receipt. */
	receipt: string;
}

/** An image from which an object was made. */
export interface ImageOrigin extends ShardOrigin {
	image_path: string;
	source_sha256: string;
}

/**
 * The shard in this snapshot, or null. A snapshot keeps shards of earlier ones, which may have had other sources: the
 * source is that of the oldest snapshot that has this shard, with its receipt and commit.
 */
export function shardOrigin(
	{ shards, source, settings }: Snapshot,
	shard: string | undefined,
	snapshots: Snapshot[],
): ShardOrigin | null {
	const entry = shards.find((one) => one.shard === shard);
	if (!entry || shard === undefined) return null;
	const { receipt, commit } = entry;
	const reader = snapshots.find((one) => {
		if (one.source.commit !== commit) return false;
		return one.shards.some((own) => own.shard === shard && own.receipt === receipt && own.commit === commit);
	});
	return { shard, uri: (reader?.source ?? source).uri, commit, settings, receipt };
}

/** The receipt; null if it is missing or damaged. */
export async function soundReceipt(store: Reader, path: string): Promise<Receipt | null> {
	return nullIfDamaged(readReceipt(store, path));
}

/**
 * All images from which these objects were made, newest snapshots first. Unreadable files are skipped.
 * @param work this run's own folder
 */
export async function imageOrigins(
	keys: Set<string>,
	snapshots: Snapshot[],
	{ store, tables, work }: { store: Reader; tables: TableFiles; work: string },
	signal: AbortSignal,
): Promise<Map<string, ImageOrigin[]>> {
	const found = new Map<string, ImageOrigin[]>();
	const seen = new Set<string>();
	for (const snapshot of snapshots.toReversed()) {
		for (const file of snapshot.tables.images?.files ?? []) {
			const origin = shardOrigin(snapshot, tableFile.parse(file.path)?.shard, snapshots);
			if (!origin || seen.has(file.path)) continue;
			seen.add(file.path);
			signal.throwIfAborted();
			const local = await nullIfDamaged(localTable(file, store, join(work, "origins.parquet")));
			if (local === null) continue;
			for await (const batch of tables.read(local, ["object_key", "image_path", "source_sha256"])) {
				for (const { object_key, image_path, source_sha256 } of batch) {
					const key = String(object_key);
					if (!keys.has(key)) continue;
					const image = { ...origin, image_path: String(image_path), source_sha256: String(source_sha256) };
					found.set(key, [...(found.get(key) ?? []), image]);
				}
			}
		}
	}
	return found;
}

async function nullIfDamaged<T>(work: Promise<T>): Promise<T | null> {
	try {
		return await work;
	} catch (error) {
		if (error instanceof LakeError && error.code === "LAKE_DAMAGED") return null;
		throw error;
	}
}
