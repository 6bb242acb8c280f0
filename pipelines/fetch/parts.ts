import { constants } from "node:fs";
import { copyFile, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { LakeError, systemCode } from "../../schemas/errors.js";
import type { SourceFile } from "../ports/source.js";
import { isDiskFull } from "../scratch/disk.js";
import { holdMark, ownerLives } from "../scratch/marks.js";
import { OWNER_ID, ownerId, ownerState } from "../scratch/owner.js";
import { sweepDead, sweepMarks } from "../scratch/sweep-dead.js";

/** Whose the files of downloads are: each belongs to one live process. A part that a dead one left is adopted, a sparse file deleted. */

/** Age in seconds after which nobody will come back for a part. */
const PART_AGE = 14 * 24 * 3600;
const PART = new RegExp(`^([0-9a-f]{40}|[0-9a-f]{64})\\.(${OWNER_ID})(?:-\\d+)?\\.part$`);
const SPARSE = new RegExp(`^[0-9a-f]+\\.(${OWNER_ID})-\\d+\\.sparse$`);

interface PartName {
	content: string;
	owner: string;
	path: string;
}

/** Parts of this process that a download holds now: two shards may have the same content. */
const held = new Set<string>();

function partsFolder(scratch: string): string {
	return join(scratch, "parts");
}

async function listParts(scratch: string): Promise<PartName[]> {
	const parts: PartName[] = [];
	for (const name of await readdir(partsFolder(scratch))) {
		const [, content, owner] = PART.exec(name) ?? [];
		if (content && owner) parts.push({ content, owner, path: join(partsFolder(scratch), name) });
	}
	return parts;
}

/** Numbers the parts and sparse files of this process. */
let names = 0;

/**
 * A name of this process for the file's content, held from now on. It is new: an image thread may still have the file
 * open that had an earlier one, and would read on in that.
 */
export function hold(scratch: string, file: SourceFile): string {
	holdMark(scratch);
	names += 1;
	const path = join(partsFolder(scratch), `${contentName(file)}.${ownerId()}-${names}.part`);
	held.add(path);
	return path;
}

/** The part is no longer held: another download may adopt it. */
export function letGo(path: string): void {
	held.delete(path);
}

/** Moves the largest part that nobody holds to `own`, and deletes the smaller ones. False when there is none. */
export async function adopt(scratch: string, file: SourceFile, own: string): Promise<boolean> {
	const candidates: (PartName & { bytes: number })[] = [];
	for (const part of await listParts(scratch)) {
		if (part.content !== contentName(file) || (await isHeld(scratch, part))) continue;
		const bytes = (await stat(part.path).catch(() => null))?.size;
		if (bytes !== undefined) candidates.push({ ...part, bytes });
	}
	candidates.sort((a, b) => b.bytes - a.bytes);
	let adopted = false;
	for (const { path, owner, bytes } of candidates) {
		if (adopted || bytes > file.bytes) await rm(path, { force: true });
		else if (ownerState(owner) === "elsewhere") adopted = await copied(path, own, () => hold(scratch, file));
		else adopted = await moved(path, own);
	}
	return adopted;
}

async function isHeld(scratch: string, { owner, path }: PartName): Promise<boolean> {
	return owner === ownerId() ? held.has(path) : ownerLives(scratch, owner, path);
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

/**
 * Takes a part whose owner is elsewhere, and perhaps only stood still: it still has the file open, and when it goes on
 * may write to it, or cut it to nothing. So its bytes are copied, and its file is left without a name.
 */
async function copied(from: string, to: string, newName: () => string): Promise<boolean> {
	const taken = newName();
	try {
		if (!(await moved(from, taken))) return false;
		await copyFile(taken, to, constants.COPYFILE_FICLONE);
		return true;
	} catch (error) {
		await rm(to, { force: true });
		if (isDiskFull(error)) return false;
		throw error;
	} finally {
		await rm(taken, { force: true });
		letGo(taken);
	}
}

function contentName(file: SourceFile): string {
	const name = file.sha256 ?? file.gitOid;
	if (name === null) throw new LakeError("INTERNAL", `${file.path} is listed without any hash.`, { path: file.path });
	return name;
}

/** A new name for a file that is here in parts only. No download ever looks for one: none may be taken for a whole file. */
export function sparseName(scratch: string, file: SourceFile): string {
	holdMark(scratch);
	names += 1;
	return join(scratch, "ranges", `${contentName(file)}.${ownerId()}-${names}.sparse`);
}

/** Deletes the sparse files that dead processes left: what they hold is fetched again. */
export async function sweepSparse(scratch: string): Promise<void> {
	await sweepDead(scratch, "ranges", SPARSE);
}

/** Deletes parts of dead processes that were last written more than 14 days ago, their sparse files, and their marks. */
export async function sweepParts(scratch: string): Promise<void> {
	await sweepSparse(scratch);
	const parts = await listParts(scratch).catch(() => []);
	const oldest = Date.now() - PART_AGE * 1000;
	for (const { path, owner } of parts) {
		const found = await stat(path).catch(() => null);
		if (found === null || found.mtimeMs >= oldest || (await ownerLives(scratch, owner, path))) continue;
		await rm(path, { force: true });
	}
	await sweepMarks(scratch);
}
