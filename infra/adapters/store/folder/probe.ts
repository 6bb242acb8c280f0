import { mkdir, open, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { PRIVATE, privateFile } from "../../../../pipelines/lake/paths.js";
import type { StoreProbe } from "../../../../pipelines/ports/store.js";
import { nearestFolder } from "../../../../pipelines/scratch/disk.js";
import { dropMark, holdMark } from "../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { storeError } from "./paths.js";
import { openFolderStore } from "./store.js";

/**
 * A probe on a lake's file system. In an existing lake it lies among the temporary files, under a name that the next
 * mirror removes if this process dies. Otherwise it lies beside the lake's place, and no lake is made.
 */
export async function openFolderProbe(lake: string): Promise<StoreProbe> {
	const root = resolve(lake);
	try {
		const parent = await nearestFolder(root);
		const folder =
			parent === root ? join(root, privateFile.aside(ownerId(), 0)) : join(parent, `${PRIVATE}-doctor-${ownerId()}`);
		const first = await mkdir(folder, { recursive: true });
		if (parent === root) holdMark(join(root, PRIVATE));
		return {
			folder,
			open: async () => openFolderStore(join(folder, "store")),
			now: () => timeOf(folder),
			remove: async () => {
				await dropMark(join(root, PRIVATE));
				await remove(folder, first ?? folder);
			},
		};
	} catch (error) {
		throw storeError(error, root, PRIVATE);
	}
}

/** The file system's time; of a network file system, its server's. */
async function timeOf(folder: string): Promise<Date> {
	const file = join(folder, "now");
	await writeFile(file, "now");
	const handle = await open(file, "r");
	await handle.sync().finally(() => handle.close());
	return (await stat(file)).mtime;
}

/** Removes the probe, then the folders made above it, unless another process uses them by now. */
async function remove(folder: string, first: string): Promise<void> {
	await rm(folder, { recursive: true, force: true });
	for (let at = folder; at !== first; ) {
		at = dirname(at);
		try {
			await rmdir(at);
		} catch {
			return;
		}
	}
}
