import { join } from "node:path";
import { holdMark } from "./marks.js";
import { OWNER_ID, ownerId } from "./owner.js";
import { sweepDead } from "./sweep-dead.js";

const NAME = new RegExp(`^[a-z]+\\.(${OWNER_ID})-\\d+$`);

/** Numbers this process's folders: it may do the same work for two lakes at once. */
let folders = 0;

/**
 * Path for a folder of the caller's own, `<scratch>/work/<kind>.<owner id>-<number>`; the caller creates and removes it.
 * Folders of dead processes are deleted. Throws the system's error.
 */
export async function workFolder(scratch: string, kind: string): Promise<string> {
	const folder = join(scratch, "work");
	await sweepDead(scratch, "work", NAME);
	holdMark(scratch);
	folders += 1;
	return join(folder, `${kind}.${ownerId()}-${folders}`);
}
