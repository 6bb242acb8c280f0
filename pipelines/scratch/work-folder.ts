import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { holdMark, ownerLives } from "./marks.js";
import { OWNER_ID, ownerId } from "./owner.js";

const NAME = new RegExp(`^[a-z]+\\.(${OWNER_ID})-\\d+$`);

/** Numbers the folders of this process: it may do the same for two lakes at once. */
let folders = 0;

/**
 * A folder of the caller's own, `<scratch>/work/<kind>.<owner id>-<number>`: not made yet, removed by the caller. Those
 * that dead processes left are deleted. Throws the system's error.
 */
export async function workFolder(scratch: string, kind: string): Promise<string> {
	const folder = join(scratch, "work");
	for (const name of await readdir(folder).catch(() => [])) {
		const owner = NAME.exec(name)?.[1];
		if (owner === undefined || (await ownerLives(scratch, owner, join(folder, name)))) continue;
		// Whoever starts at the same time deletes it as well; what cannot be deleted is for the next.
		await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
	}
	holdMark(scratch);
	folders += 1;
	return join(folder, `${kind}.${ownerId()}-${folders}`);
}
