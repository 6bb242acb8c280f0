import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isLive, ownIdentity } from "./mirror/part-owner.js";

/** A folder of this process's own in scratch, not made yet; those of dead processes of the same kind are deleted. */
export async function workFolder(scratch: string, kind: string): Promise<string> {
	const folder = join(scratch, "work");
	for (const name of await readdir(folder).catch(() => [])) {
		const [, pid, started] = new RegExp(`^${kind}\\.(\\d{1,10})-(\\d+)$`).exec(name) ?? [];
		if (pid === undefined || started === undefined || (await isLive({ pid: Number(pid), started }))) continue;
		await rm(join(folder, name), { recursive: true, force: true });
	}
	const { pid, started } = await ownIdentity();
	return join(folder, `${kind}.${pid}-${started}`);
}
