import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

/** Longest wait in milliseconds: a client that does not read is no reason to hang. */
const LONGEST = 2000;

/**
 * Resolves when the system at the other end has every byte written so far: a reset drops what it has not, and a test
 * could not tell bytes lost on the way from bytes fetched twice. The system has no event for it, but a table
 * (`/proc/net/tcp`, proc(5)); where there is none, resolves at once.
 */
export async function delivered(socket: Socket): Promise<void> {
	const hex = (port: number | undefined): string => (port ?? 0).toString(16).toUpperCase().padStart(4, "0");
	const pattern = new RegExp(
		`:\\s[0-9A-F]+:${hex(socket.localPort)}\\s[0-9A-F]+:${hex(socket.remotePort)}\\s\\w+\\s([0-9A-F]+):`,
	);
	for (const began = performance.now(); performance.now() - began < LONGEST; ) {
		const [, queued = "0"] = pattern.exec(await readFile("/proc/net/tcp", "latin1").catch(() => "")) ?? [];
		if (Number.parseInt(queued, 16) === 0) return;
		await wait(1);
	}
}
