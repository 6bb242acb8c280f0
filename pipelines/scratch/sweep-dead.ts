import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { MARKS_FOLDER, ownerLives } from "./marks.js";

/**
 * Removes the entries of a folder in scratch that dead owners left.
 * @param named what their names are like; its first group is the owner's id
 */
export async function sweepDead(scratch: string, folder: string, named: RegExp): Promise<void> {
	for (const name of await readdir(join(scratch, folder)).catch(() => [])) {
		const owner = named.exec(name)?.[1];
		const path = join(scratch, folder, name);
		if (owner === undefined || (await ownerLives(scratch, owner, path))) continue;
		// Whoever starts at the same time deletes it as well; what cannot be deleted is for the next.
		await rm(path, { recursive: true, force: true }).catch(() => {});
	}
}

/** Removes the marks that dead owners left in a folder. */
export async function sweepMarks(root: string): Promise<void> {
	const folder = join(root, MARKS_FOLDER);
	for (const name of await readdir(folder).catch(() => [])) {
		const id = name.replace(/^\.now-(.*)-\d+$/, "$1");
		if (!(await ownerLives(root, id, join(folder, name))))
			await rm(join(folder, name), { force: true }).catch(() => {});
	}
}
