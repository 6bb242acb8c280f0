import { LakeError } from "../../schemas/errors.js";
import type { Snapshot } from "../../schemas/records.js";
import type { Dataset } from "../dataset.js";
import type { Reader } from "../ports/store.js";
import { claimedSnapshot, publish } from "./publish.js";
import type { StoredSnapshot } from "./snapshot.js";
import { type ClaimTools, guardClaim } from "./sweeping/claim-guard.js";
import { readFirstKept } from "./sweeping/first-kept.js";
import type { SweepStore } from "./sweeping/sweep.js";
import { tablesOf } from "./tables.js";

/**
 * Publishes a new snapshot with the content of snapshot `number`.
 * @returns null when the newest snapshot has that content already
 * @throws SNAPSHOT_NOT_FOUND, also where a file of it is missing; SNAPSHOT_VACUUMED where vacuum took that
 */
export async function rollback(
	store: SweepStore,
	dataset: Dataset,
	number: number,
	tools: ClaimTools,
): Promise<StoredSnapshot | null> {
	const plans = async (base: StoredSnapshot | null): Promise<Snapshot | null> => {
		const target = await claimedSnapshot(store, number);
		if (!base || !target || number > base.snapshot.number) {
			throw new LakeError("SNAPSHOT_NOT_FOUND", `${store.name} has no snapshot ${number}.`);
		}
		if (sameContent(base.snapshot, target.snapshot)) return null;
		await requireFiles(store, target.snapshot);
		return renumbered(target.snapshot, base.snapshot.number + 1);
	};
	try {
		return await publish(store, tablesOf(dataset), plans, (base, next) => guardClaim(store, base, next, tools));
	} catch (error) {
		if (error instanceof LakeError && error.code === "LAKE_SWEPT") throw vacuumed(store, number, error.path);
		throw error;
	}
}

function sameContent(a: Snapshot, b: Snapshot): boolean {
	if (a.shards.length !== b.shards.length) return false;
	return a.shards.every(({ work_id }, index) => b.shards[index]?.work_id === work_id);
}

async function requireFiles(store: Reader, snapshot: Snapshot): Promise<void> {
	for (const { files } of Object.values(snapshot.tables)) {
		for (const { path } of files) {
			if (await store.stat(path)) continue;
			if (snapshot.number < (await readFirstKept(store))) throw vacuumed(store, snapshot.number, path);
			throw new LakeError("SNAPSHOT_NOT_FOUND", `Snapshot ${snapshot.number} is no longer whole: ${path} is gone.`, {
				path,
			});
		}
	}
}

function vacuumed(store: Reader, number: number, path: string | null): LakeError {
	const message = `Vacuum has deleted files of snapshot ${number} of ${store.name}.`;
	return new LakeError("SNAPSHOT_VACUUMED", message, path === null ? {} : { path });
}

function renumbered(snapshot: Snapshot, number: number): Snapshot {
	const tables = Object.entries(snapshot.tables).map(([table, { files }]) => {
		return [table, { delta_version: number - 1, files }] as const;
	});
	return { ...snapshot, number, tables: Object.fromEntries(tables) };
}
