import { join } from "node:path";
import { holdMark } from "./marks.js";
import { OWNER_ID, ownerId } from "./owner.js";
import { sweepDead } from "./sweep-dead.js";

const NAME = new RegExp(`^[a-z]+\\.(${OWNER_ID})-\\d+$`);

/** Numbers the folders of this process: it may do the same for two lakes at once. */
let folders = 0;

/**
 * A folder of the caller's own, `<scratch>/work/<kind>.<owner id>-<number>`: not made yet, removed by the caller. Those
 * that dead processes left are deleted. Throws the system's error.
 */
export async function workFolder(scratch: string, kind: string): Promise<string> {
	const folder = join(scratch, "work");
	await sweepDead(scratch, "work", NAME);
	holdMark(scratch);
	folders += 1;
	return join(folder, `${kind}.${ownerId()}-${folders}`);
}
