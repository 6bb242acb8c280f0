import { constants } from "node:fs";
import { access, readdir, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { MirrorPlan } from "../pipelines/mirror/plan/plan-mirror.js";
import type { Progress } from "../pipelines/ports/run.js";
import { LakeError, systemCode } from "../schemas/errors.js";
import { type ScratchOptions, scratchFolder } from "./options.js";
import { sizeText } from "./report/format.js";
import { type LakeStore, openPredicate } from "./wire.js";

/** What commands look at before they begin. Nothing is made here: wrong usage leaves no trace. */

/** A folder that holds other things must not become a lake by a slip of the hand. Throws LAKE_NOT_A_LAKE. */
export async function requireLake(store: LakeStore): Promise<void> {
	if (store.kind === "s3") return store.requireLake();
	const path = store.name;
	try {
		const names = await readdir(path);
		if (names.length === 0 || names.includes(".irlake") || names.includes("latest.json")) return;
		const some = names.slice(0, 3).join(", ");
		throw new LakeError("LAKE_NOT_A_LAKE", `${path} holds other files and is no lake: ${some}.`, { path });
	} catch (cause) {
		if (cause instanceof LakeError) throw cause;
		const code = systemCode(cause);
		if (code === "ENOENT") return;
		if (code === "ENOTDIR") throw new LakeError("LAKE_NOT_A_LAKE", `${path} is no folder.`, { path, cause });
		throw new LakeError("LAKE_UNWRITABLE", `${path} cannot be read.`, { path, cause });
	}
}

/** Reads the predicate asked for, so that a wrong one is refused before anything is begun. Throws USAGE. */
export async function requirePredicate({ where }: { where: string | undefined }): Promise<void> {
	if (where) await (await openPredicate(where)).close();
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

/** The path itself, or the nearest folder above it that exists. Throws the system's error for what is no folder. */
async function nearestFolder(path: string): Promise<string> {
	for (let at = path; ; at = dirname(at)) {
		try {
			await readdir(at);
			return at;
		} catch (error) {
			if (systemCode(error) !== "ENOENT" || at === dirname(at)) throw error;
		}
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
	if (store.kind === "s3" || settings.image !== "passthrough") return;
	const lake = store.name;
	const sizes = shards.filter(({ action }) => action === "process").map(lakeBytes);
	const free = await freeBytes(lake);
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

/** Free bytes of the file system that holds the folder, or would hold it. */
export async function freeBytes(folder: string): Promise<number> {
	for (let at = folder; ; at = dirname(at)) {
		try {
			const { bavail, bsize } = await statfs(at);
			return bavail * bsize;
		} catch (error) {
			if (at === dirname(at)) throw error;
		}
	}
}
