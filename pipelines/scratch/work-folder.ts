import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isLive, ownIdentity } from "./part-owner.js";

/** Numbers the folders of this process: it may do the same for two lakes at once. */
let folders = 0;

/**
 * A folder of the caller's own, `<scratch>/work/<kind>.<pid>-<start>-<number>`: not made yet, removed by the caller. Those
 * that dead processes left are deleted.
 */
export async function workFolder(scratch: string, kind: string): Promise<string> {
	const folder = join(scratch, "work");
	const me = await ownIdentity();
	for (const name of await readdir(folder).catch(() => [])) {
		const [, pid, started] = /^[a-z]+\.(\d{1,10})-(\d+)-\d+$/.exec(name) ?? [];
		if (pid === undefined || started === undefined) continue;
		if (await isLive({ pid: Number(pid), started })) continue;
		// Whoever starts at the same time deletes it as well; what cannot be deleted is for the next.
		await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
	}
	folders += 1;
	return join(folder, `${kind}.${me.pid}-${me.started}-${folders}`);
}
