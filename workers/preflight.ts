import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { type Dataset, predicateColumns } from "../pipelines/dataset.js";
import type { MirrorPlan } from "../pipelines/mirror/plan/plan-mirror.js";
import type { Progress } from "../pipelines/ports/run.js";
import { nearestFolder } from "../pipelines/scratch/disk.js";
import { LakeError } from "../schemas/errors.js";
import { type ScratchOptions, scratchFolder } from "./options.js";
import { sizeText } from "./report/format.js";
import { type LakeStore, openPredicate } from "./wire.js";

/** What commands look at before they begin. Nothing is made here: wrong usage leaves no trace. */

/** Reads the predicate asked for, so that a wrong one is refused before anything is begun. Throws USAGE. */
export async function requirePredicate({ where }: { where: string | undefined }, dataset: Dataset): Promise<void> {
	if (where) await (await openPredicate(where, predicateColumns(dataset))).close();
}

/** The scratch folder, which may not exist yet. Throws USAGE where it could not be made or written to. */
export async function requireScratch(options: ScratchOptions, env: NodeJS.ProcessEnv): Promise<string> {
	const folder = scratchFolder(options, env);
	try {
		const existing = await nearestFolder(folder);
		await access(existing, constants.W_OK | constants.X_OK);
		return folder;
	} catch (cause) {
		throw new LakeError("USAGE", `--scratch ${folder} is no folder that can be written to.`, {
			path: folder,
			cause,
			hint: "Give a folder you may write to.",
		});
	}
}

/**
 * Looks whether the lake's disk can take what is to be done, before anything is fetched. Images are kept as they are, so
 * a shard takes about its zip's size. Throws NO_SPACE where one shard alone would not fit; the scratch folder's disk is
 * looked at before each download.
 */
export async function requireSpace(
	store: LakeStore,
	{ shards, settings }: Pick<MirrorPlan, "shards" | "settings">,
	note: Progress["note"],
): Promise<void> {
	if (settings.image !== "passthrough") return;
	const free = await store.freeBytes();
	if (free === null) return;
	const lake = store.name;
	const sizes = shards.filter(({ action }) => action === "process").map(lakeBytes);
	const largest = Math.max(0, ...sizes);
	if (free < largest) {
		const message = `${lake} has ${sizeText(free)} free, but the largest shard to do needs ${sizeText(largest)}.`;
		throw new LakeError("NO_SPACE", message, { path: lake });
	}
	const all = sizes.reduce((sum, size) => sum + size, 0);
	if (free < all) note("warn", `${lake} has ${sizeText(free)} free, but all shards to do may need ${sizeText(all)}.`);
}

/** About what a shard takes in the lake: of its zip's size, the share that is chosen. */
function lakeBytes({ input, selection }: MirrorPlan["shards"][number]): number {
	return selection ? Math.round((input.bytes * selection.chosen) / Math.max(1, selection.images)) : input.bytes;
}
