import { link, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { LakeError, systemCode } from "../../schemas/errors.js";
import type { Reader, Records } from "../ports/store.js";
import { isDiskFull } from "../scratch/disk.js";

/** Tries out the writes that publishing needs, in a probe that is removed afterwards. */

const NO_LINKS = "Give --lake a folder on a local disk (ext4, xfs, btrfs, apfs) or on NFS.";
const NO_RIGHTS = "Check the folder's owner, permissions and mount options (read-only?), or give another --lake.";
const NO_ROOM = "Free space or quota, or give another --lake.";

/**
 * Tries each operation that a lake in a folder needs: write, sync, rename, link, sync the folder, delete. Throws
 * LAKE_UNWRITABLE, LAKE_UNSUPPORTED or NO_SPACE, naming the first that fails.
 */
export async function tryFolder(folder: string): Promise<void> {
	const [one, two, three] = ["one", "two", "three"].map((name) => join(folder, "rights", name)) as [
		string,
		string,
		string,
	];
	const steps: [string, () => Promise<unknown>][] = [
		["make a folder", () => mkdir(join(folder, "rights"), { recursive: true })],
		["write a file", () => write(one)],
		["sync a file", () => sync(one)],
		["rename a file", () => rename(one, two)],
		["link a file", () => link(two, three)],
		["sync a folder", () => syncNames(folder)],
		["look at a file", () => stat(three)],
		["delete a file", () => rm(two)],
		["delete a folder", () => rm(join(folder, "rights"), { recursive: true })],
	];
	for (const [what, step] of steps) await step().catch((cause) => Promise.reject(refusal(what, cause)));
}

/** Large enough to need blocks of its own on any file system. */
const CONTENT = Buffer.alloc(1 << 16, 1);

async function write(path: string): Promise<void> {
	const handle = await open(path, "wx");
	await handle.writeFile(CONTENT).finally(() => handle.close());
}

async function sync(path: string): Promise<void> {
	const handle = await open(path, "r");
	await handle.sync().finally(() => handle.close());
}

/** File systems that cannot sync folders (EINVAL) are trusted to keep their names. */
async function syncNames(folder: string): Promise<void> {
	await sync(folder).catch((error) => (systemCode(error) === "EINVAL" ? undefined : Promise.reject(error)));
}

function refusal(what: string, cause: unknown): LakeError {
	const code = systemCode(cause) ?? "error";
	const message = `The lake's file system refuses to ${what} (${code}).`;
	if (isDiskFull(cause)) return new LakeError("NO_SPACE", message, { cause, hint: NO_ROOM });
	const links = what === "link a file";
	return new LakeError(links ? "LAKE_UNSUPPORTED" : "LAKE_UNWRITABLE", message, {
		cause,
		hint: links ? NO_LINKS : NO_RIGHTS,
	});
}

/** Writes a record, reads it back and lists it. Throws the store's own errors; LAKE_UNSUPPORTED if what it returns is wrong. */
export async function tryStore(store: Reader & Records): Promise<void> {
	const path = "rights/record.json";
	const content = Buffer.from('{"try": 1}\n');
	await store.putIfAbsent(path, content);
	const back = await store.get(path);
	const listed: string[] = [];
	for await (const file of store.list("rights")) listed.push(file.path);
	if (back?.equals(content) && listed.includes(path)) return;
	throw new LakeError("LAKE_UNSUPPORTED", `The store ${store.name} does not return what was just written to it.`);
}

/** Rounds of each race: enough to catch a store that fails now and then. */
const ROUNDS = 5;

/**
 * Lets two writers race repeatedly: of two puts to a new path exactly one must win, and of two swaps of a record; a swap
 * against a replaced record must lose; the winner's bytes must be stored. Returns null, or what went wrong. Throws the
 * store's own errors.
 */
export async function raceWriters(one: Reader & Records, two: Reader & Records): Promise<string | null> {
	for (let round = 1; round <= ROUNDS; round++) {
		const path = `races/${round}.json`;
		const puts = [Buffer.from(`{"one": ${round}}\n`), Buffer.from(`{"two": ${round}}\n`)] as const;
		const put = await Promise.all([one.putIfAbsent(path, puts[0]), two.putIfAbsent(path, puts[1])]);
		const first = await one.get(path);
		const wrong = whoWon("put", put, puts, first);
		if (wrong !== null) return wrong;
		const swaps = [Buffer.from(`{"one": "again"}\n`), Buffer.from(`{"two": "again"}\n`)] as const;
		const swap = await Promise.all([one.replace(path, swaps[0], first), two.replace(path, swaps[1], first)]);
		const bad = whoWon("swap", swap, swaps, await one.get(path));
		if (bad !== null) return bad;
		if (await one.replace(path, puts[0], first)) return "a swap against a record that had changed was let through";
		if (await two.putIfAbsent(path, puts[1])) return "a put over a record that was there was let through";
	}
	return null;
}

function whoWon(what: string, won: boolean[], wrote: readonly Buffer[], there: Buffer | null): string | null {
	const winners = won.filter(Boolean).length;
	if (winners !== 1) return `of two racing ${what}s ${winners} won`;
	const due = wrote[won.indexOf(true)];
	return there !== null && due?.equals(there) ? null : `after two racing ${what}s the loser's bytes stand there`;
}
