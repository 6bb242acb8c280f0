import { LakeError } from "../../schemas/errors.js";
import type { Dataset } from "../dataset.js";
import type { Reader } from "../ports/store.js";
import { inDatasetOrder } from "../shards.js";
import { snapshotFile } from "./paths.js";
import { claimedSnapshot } from "./publish.js";
import { readLatestSnapshot, type StoredSnapshot } from "./snapshot.js";
import { readFirstKept } from "./sweeping/first-kept.js";

/**
 * The snapshot that `latest`, a number or a path in the lake names; `asked` is the option or argument that says which.
 * Throws LAKE_NOT_FOUND, SNAPSHOT_NOT_FOUND, SNAPSHOT_VACUUMED, USAGE, LAKE_DAMAGED.
 */
export async function chooseSnapshot(store: Reader, wanted: string, asked = "--snapshot"): Promise<StoredSnapshot> {
	const latest = await readLatestSnapshot(store);
	if (!latest) throw new LakeError("LAKE_NOT_FOUND", `There is no lake in ${store.name}.`, { path: store.name });
	if (wanted === "latest") return latest;
	const path = wanted.replace(/^\.\//, "");
	const number = /^([1-9]\d{0,8})$/.exec(path)?.[1] ?? snapshotFile.parse(path)?.number;
	if (number === undefined) {
		throw new LakeError("USAGE", `${asked} cannot be ${JSON.stringify(wanted)}.`, {
			hint: "Give a number, a path such as snapshots/000001-0123456789ab.json, or latest.",
		});
	}
	const claimed = Number(number) <= latest.snapshot.number ? await claimedSnapshot(store, Number(number)) : null;
	if (!claimed || (path.includes("/") && claimed.path !== path)) {
		throw new LakeError("SNAPSHOT_NOT_FOUND", `The lake has published no snapshot ${wanted}.`, { path: wanted });
	}
	await requireTables(store, claimed);
	return claimed;
}

/** Throws SNAPSHOT_VACUUMED where vacuum has deleted files of it. */
async function requireTables(store: Reader, { snapshot }: StoredSnapshot): Promise<void> {
	if (snapshot.number >= (await readFirstKept(store))) return;
	for (const { path } of snapshot.tables.images?.files ?? []) {
		if (await store.stat(path)) continue;
		const message = `Vacuum has deleted files of snapshot ${snapshot.number} of ${store.name}.`;
		throw new LakeError("SNAPSHOT_VACUUMED", message, { path });
	}
}

/**
 * The shards to export: those of the snapshot that were asked for. Throws USAGE where one that was named is not in it,
 * or none is left.
 * @param named whether `wanted` was given shard by shard
 */
export function chooseShards(
	dataset: Dataset,
	{ snapshot }: StoredSnapshot,
	wanted: string[],
	named: boolean,
): string[] {
	const present = new Set(snapshot.shards.map(({ shard }) => shard));
	const missing = wanted.filter((shard) => !present.has(shard));
	const chosen = inDatasetOrder(
		dataset,
		wanted.filter((shard) => present.has(shard)),
	);
	if (chosen.length === 0 || (named && missing.length > 0)) {
		const which = missing.slice(0, 3).join(", ");
		throw new LakeError("USAGE", `Snapshot ${snapshot.number} does not hold ${which}.`, {
			hint: "See irlake status for the shards there are; mirror the others first.",
		});
	}
	return chosen;
}
