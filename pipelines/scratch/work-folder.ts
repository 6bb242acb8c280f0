import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { holdMark, ownerLives } from "./marks.js";
import { OWNER_ID, ownerId } from "./owner.js";

const NAME = new RegExp(`^[a-z]+\\.(${OWNER_ID})-\\d+$`);

/** Numbers this process's folders: it may do the same work for two lakes at once. */
let folders = 0;

/**
 * Path for a folder of the caller's own, `<scratch>/work/<kind>.<owner id>-<number>`; the caller creates and removes it.
 * Folders of dead processes are deleted. Throws the system's error.
 */
export async function workFolder(scratch: string, kind: string): Promise<string> {
	const folder = join(scratch, "work");
	for (const name of await readdir(folder).catch(() => [])) {
		const owner = NAME.exec(name)?.[1];
		if (owner === undefined || (await ownerLives(scratch, owner, join(folder, name)))) continue;
		// A process that starts at the same time may delete it too; what cannot be deleted now is left for the next.
		await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
	}
	holdMark(scratch);
	folders += 1;
	return join(folder, `${kind}.${ownerId()}-${folders}`);
}
