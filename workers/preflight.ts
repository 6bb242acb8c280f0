import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import type { MirrorPlan } from "../pipelines/mirror/plan/plan-mirror.js";
import type { Progress } from "../pipelines/ports/run.js";
import type { TableFiles } from "../pipelines/ports/tables.js";
import { diskOf, nearestFolder } from "../pipelines/scratch/disk.js";
import type { Options } from "../schemas/config.js";
import { LakeError, systemCode } from "../schemas/errors.js";
import { scratchFolder } from "./options.js";
import { sizeText } from "./report/format.js";
import { type LakeStore, openPredicate, openTables } from "./wire.js";

/** What commands look at before they begin. Nothing is made here: wrong usage leaves no trace. */

/** A folder that holds other things must not become a lake by a slip of the hand. Throws LAKE_NOT_A_LAKE. */
export async function requireLake(store: LakeStore): Promise<void> {
	if (store.kind === "s3") return store.requireLake();
	const path = store.name;
	try {
		const names = await readdir(path);
		if (names.length === 0 || names.includes(".irlake") || names.includes("latest.json")) return;
		const some = names.slice(0, 3).join(", ");
		throw new LakeError("LAKE_NOT_A_LAKE", `${path} holds other files and is no lake: ${some}`, { path });
	} catch (cause) {
		if (cause instanceof LakeError) throw cause;
		const code = systemCode(cause);
		if (code === "ENOENT") return;
		if (code === "ENOTDIR") throw new LakeError("LAKE_NOT_A_LAKE", `${path} is no folder`, { path, cause });
		throw new LakeError("LAKE_UNWRITABLE", `${path} cannot be read`, { path, cause });
	}
}

/** Reads the predicate asked for, so that a wrong one is refused before anything is begun. Throws USAGE. */
export async function requirePredicate({ where }: Pick<Options, "where">): Promise<void> {
	if (where) await (await openPredicate(where)).close();
}

/** The scratch folder, which may not exist yet. Throws USAGE where it could not be made or written to. */
export async function requireScratch(options: Pick<Options, "scratch">, env: NodeJS.ProcessEnv): Promise<string> {
	const folder = scratchFolder(options, env);
	try {
		const existing = await nearestFolder(folder);
		await access(existing, constants.W_OK | constants.X_OK);
		return folder;
	} catch (cause) {
		throw new LakeError("USAGE", `--scratch ${folder} is no folder that can be written to`, {
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
	if (store.kind === "s3" || settings.image !== "passthrough") return;
	const lake = store.name;
	const sizes = shards.filter(({ action }) => action === "process").map(lakeBytes);
	const { free } = await diskOf(lake);
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

/** DuckDB, opened when it is first needed: a run with nothing to do does without. */
export function lazyTables(scratch: string): TableFiles {
	let opened: Promise<TableFiles> | null = null;
	const get = (): Promise<TableFiles> => {
		opened ??= openTables(scratch);
		return opened;
	};
	return {
		columns: async (file) => (await get()).columns(file),
		async *metadataRows(file, prefix) {
			yield* (await get()).metadataRows(file, prefix);
		},
		async *read(file, columns) {
			yield* (await get()).read(file, columns);
		},
		async *differences(table, key, before, after) {
			yield* (await get()).differences(table, key, before, after);
		},
		write: async (table, rows, file) => (await get()).write(table, rows, file),
		close: async () => {
			if (opened) await (await opened).close();
		},
	};
}
