import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { LakeError, systemCode } from "../../schemas/errors.js";
import type { SourceFile } from "../ports/source.js";

/** Whose the files of downloads are: each belongs to one live process. A part that a dead one left is adopted, a sparse file deleted. */

/** Age in seconds after which nobody will come back for a part. */
const PART_AGE = 14 * 24 * 3600;

interface Owner {
	pid: number;
	/** Start of the process in clock ticks since boot; "0" where the system does not tell. */
	started: string;
}

interface PartName extends Owner {
	content: string;
	path: string;
}

/** Parts of this process that a download holds now: two shards may have the same content. */
const held = new Set<string>();

/** Start of a live process (`/proc/<pid>/stat`, field 22; proc(5)), "0" where there is no `/proc`, null when it is dead. */
async function processStart(pid: number): Promise<string | null> {
	const text = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => null);
	if (text !== null) {
		// The second field is the program's name in parentheses, and may hold blanks and parentheses itself.
		const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
		return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? "0");
	}
	try {
		process.kill(pid, 0);
		return "0";
	} catch (error) {
		// EPERM: it lives, and is another user's.
		return systemCode(error) === "ESRCH" ? null : "0";
	}
}

export async function isLive(owner: Owner): Promise<boolean> {
	const started = await processStart(owner.pid);
	if (started === null) return false;
	return started === owner.started || started === "0" || owner.started === "0";
}

let self: Promise<Owner> | null = null;
export function ownIdentity(): Promise<Owner> {
	self ??= processStart(process.pid).then((started) => ({ pid: process.pid, started: started ?? "0" }));
	return self;
}

async function listParts(folder: string): Promise<PartName[]> {
	const parts: PartName[] = [];
	for (const name of await readdir(folder)) {
		const match = /^([0-9a-f]{40}|[0-9a-f]{64})\.(\d{1,10})-(\d+)(?:-\d+)?\.part$/.exec(name);
		const [, content, pid, started] = match ?? [];
		if (content && pid && started) parts.push({ content, pid: Number(pid), started, path: join(folder, name) });
	}
	return parts;
}

/** A name of this process for the content that none of its downloads holds; held from now on. */
export function hold(folder: string, content: string, me: Owner): string {
	for (let n = 1; ; n++) {
		const path = join(folder, `${content}.${me.pid}-${me.started}${n === 1 ? "" : `-${n}`}.part`);
		if (held.has(path)) continue;
		held.add(path);
		return path;
	}
}

/** Moves the largest part that nobody holds to `own`, and deletes the smaller ones. False when there is none. */
export async function adopt(folder: string, file: SourceFile, own: string, me: Owner): Promise<boolean> {
	const candidates: { path: string; bytes: number }[] = [];
	for (const part of await listParts(folder)) {
		if (part.content !== contentName(file)) continue;
		const mine = part.pid === me.pid && part.started === me.started;
		if (mine ? part.path !== own && held.has(part.path) : await isLive(part)) continue;
		const bytes = (await stat(part.path).catch(() => null))?.size;
		if (bytes !== undefined) candidates.push({ path: part.path, bytes });
	}
	candidates.sort((a, b) => b.bytes - a.bytes);
	let adopted = false;
	for (const { path, bytes } of candidates) {
		if (!adopted && bytes <= file.bytes) adopted = await moved(path, own);
		else if (path !== own || !adopted) await rm(path, { force: true });
	}
	return adopted;
}

/** False when another process was faster. */
async function moved(from: string, to: string): Promise<boolean> {
	try {
		await rename(from, to);
		return true;
	} catch (error) {
		if (systemCode(error) === "ENOENT") return false;
		throw error;
	}
}

export function contentName(file: SourceFile): string {
	const name = file.sha256 ?? file.gitOid;
	if (name === null) throw new LakeError("INTERNAL", `${file.path} is listed without any hash.`, { path: file.path });
	return name;
}

/** The part is no longer this process's: another download may adopt it. */
export function letGo(path: string): void {
	held.delete(path);
}

/** Numbers the sparse files of this process. */
let sparseFiles = 0;

/**
 * A name for a file that is here in parts only. No two are the same, and no download ever looks for one: an image
 * thread may still hold an earlier one open, and none may be taken for a whole file.
 */
export function sparseName(scratch: string, file: SourceFile, me: Owner): string {
	sparseFiles += 1;
	return join(scratch, "ranges", `${contentName(file)}.${me.pid}-${me.started}-${sparseFiles}.sparse`);
}

/** Deletes the sparse files that dead processes left: what they hold is fetched again. */
export async function sweepSparse(scratch: string): Promise<void> {
	const folder = join(scratch, "ranges");
	for (const name of await readdir(folder).catch(() => [])) {
		const [, pid, started] = /^[0-9a-f]+\.(\d{1,10})-(\d+)-\d+\.sparse$/.exec(name) ?? [];
		if (pid === undefined || started === undefined || (await isLive({ pid: Number(pid), started }))) continue;
		await rm(join(folder, name), { force: true });
	}
}

/** Deletes parts of dead processes that were last written more than 14 days ago, and their sparse files. */
export async function sweepParts(scratch: string): Promise<void> {
	await sweepSparse(scratch);
	const folder = join(scratch, "parts");
	const parts = await listParts(folder).catch(() => []);
	const oldest = Date.now() - PART_AGE * 1000;
	for (const part of parts) {
		const found = await stat(part.path).catch(() => null);
		if (found !== null && found.mtimeMs < oldest && !(await isLive(part))) await rm(part.path, { force: true });
	}
}
