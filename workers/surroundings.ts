import { constants } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { TableFiles } from "../pipelines/ports.js";
import type { Options } from "../schemas/config.js";
import { LakeError, systemCode } from "../schemas/errors.js";
import { scratchFolder } from "./options.js";
import { type LakeStore, openTables } from "./wire.js";

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
		write: async (table, rows, file) => (await get()).write(table, rows, file),
		close: async () => {
			if (opened) await (await opened).close();
		},
	};
}
