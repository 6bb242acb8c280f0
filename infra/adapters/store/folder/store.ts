import { readFileSync, renameSync } from "node:fs";
import { copyFile, link, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { each } from "../../../../pipelines/each.js";
import { objectFile, PRIVATE, privateFile } from "../../../../pipelines/lake/paths.js";
import type { LakeFile, LakePlace, StagePlace, Store } from "../../../../pipelines/ports/store.js";
import { diskOf } from "../../../../pipelines/scratch/disk.js";
import { holdMark, ownerLives } from "../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { sweepMarks } from "../../../../pipelines/scratch/sweep-dead.js";
import { LakeError, systemCode } from "../../../../schemas/errors.js";
import { DurableFolders, SYNC_WIDTH, syncFile, syncFolder, writeSynced } from "./durable.js";
import { inFolder, isAbsent, storeError } from "./paths.js";
import { requireLake } from "./require-lake.js";

const { asideFolder: TEMPORARY, stagedFolders: STAGED } = privateFile;
/** Errors of link() where the file system has no hard links. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV"]);

/**
 * A lake in a folder, which the first write makes. Before a call returns, the file was written under a temporary name,
 * synced, named by link() (create once) or rename() (content-addressed files, `latest.json`), and the folder synced.
 *
 * Throws LAKE_UNWRITABLE (no access, or a failing disk), NO_SPACE, LAKE_UNSUPPORTED (no hard links), INTERNAL (a path outside the lake).
 */
export function openFolderStore(folder: string): Store & LakePlace {
	return new Folder(folder);
}

/** Numbers the temporary files of this process, over all its stores. */
let temporaryCount = 0;

class Folder implements Store, LakePlace {
	readonly name: string;
	readonly stage: StagePlace;
	readonly #root: string;
	readonly #folders: DurableFolders;

	constructor(folder: string) {
		this.name = folder;
		this.#root = resolve(folder);
		this.#folders = new DurableFolders(this.#root);
		this.stage = { kind: "folder", folder: join(this.#root, privateFile.stagedFolder(ownerId())) };
	}

	requireLake(): Promise<void> {
		return requireLake(this.name);
	}

	/** Hard links are tried out by each write. */
	async prepareWrites(): Promise<void> {}

	async freeBytes(): Promise<number> {
		return (await diskOf(this.#root)).free;
	}

	beginStaging(): void {
		try {
			holdMark(join(this.#root, PRIVATE));
		} catch (error) {
			throw storeError(error, this.name, PRIVATE);
		}
	}

	get(path: string): Promise<Buffer | null> {
		return this.#guard(path, () => readFile(inFolder(this.#root, path)).catch(nullIfAbsent));
	}

	stat(path: string): Promise<LakeFile | null> {
		return this.#guard(path, async () => {
			const about = await stat(inFolder(this.#root, path)).catch(nullIfAbsent);
			return about?.isFile() ? { path, bytes: about.size, modified: about.mtimeMs } : null;
		});
	}

	read(path: string): Promise<Readable> {
		return this.#guard(path, async () => {
			const handle = await open(inFolder(this.#root, path), "r").catch(nullIfAbsent);
			if (handle === null) throw new LakeError("LAKE_DAMAGED", `The lake has no file ${path}.`, { path });
			return handle.createReadStream();
		});
	}

	localPath(path: string): string {
		return inFolder(this.#root, path);
	}

	async *list(prefix: string): AsyncIterable<LakeFile> {
		const path = prefix.replace(/\/$/, "");
		const start = path === "" ? this.#root : inFolder(this.#root, path);
		yield* this.#listFolder(start, path);
	}

	putIfAbsent(path: string, content: Buffer): Promise<boolean> {
		return this.#guard(path, async () => {
			const file = inFolder(this.#root, path);
			const taken = await isThere(file);
			const made =
				!taken &&
				(await this.#withContent(content, (temporary) =>
					this.#inMadeFolder(file, () => linkOnce(temporary, file, path)),
				));
			// An existing file's name may not be synced yet, and the caller may rely on it.
			await syncFolder(dirname(file));
			return made;
		});
	}

	replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean> {
		return this.#guard(path, async () => {
			const file = inFolder(this.#root, path);
			const replaced = await this.#withContent(content, async (temporary) => {
				await this.#folders.ensure([dirname(file)]);
				// Synchronous, so that no other call of this process comes between; another process has microseconds.
				// Publishers check again afterwards.
				if (!sameContent(readIfThere(file), seen)) return false;
				renameSync(temporary, file);
				return true;
			});
			await syncFolder(dirname(file));
			return replaced;
		});
	}

	async putFile(path: string, localFile: string): Promise<void> {
		await this.#guard(path, async () => {
			const file = inFolder(this.#root, path);
			const [local, present] = await Promise.all([stat(localFile), stat(file).catch(nullIfAbsent)]);
			if (present?.size === local.size) {
				// Its maker may have been killed before it synced.
				await syncFile(file);
			} else {
				await syncFile(localFile);
				await this.#moveIn(localFile, file);
			}
			await syncFolder(dirname(file));
		});
	}

	/** An empty folder in the file's place is removed. */
	async overwrite(path: string, localFile: string): Promise<void> {
		await this.#guard(path, async () => {
			const file = inFolder(this.#root, path);
			await syncFile(localFile);
			await rmdir(file).catch(nullIfNoFolder);
			await this.#moveIn(localFile, file);
			await syncFolder(dirname(file));
		});
	}

	/**
	 * Renames each staged file, synced already, into place, replacing an existing one (equal, or damaged). A file that is
	 * no longer staged was published by another shard. Then all folders touched are synced. Throws LAKE_DAMAGED if an
	 * object is neither staged nor in place.
	 */
	async publishObjects(staged: string[]): Promise<void> {
		await this.#guard(objectFile.folder, async () => {
			const files = new Map(staged.map((key) => [key, inFolder(this.#root, key)]));
			const folders = new Set([...files.values()].map((file) => dirname(file)));
			await this.#folders.ensure(folders);
			await each(files, SYNC_WIDTH, ([key, file]) => this.#guard(key, () => this.#publishObject(key, file)));
			await each(folders, SYNC_WIDTH, syncFolder);
		});
	}

	async dropStaged(): Promise<void> {
		await this.#guard(STAGED, async () => {
			await rm(this.stage.folder, { recursive: true, force: true });
			const own = join(this.#root, PRIVATE);
			for (const folder of [STAGED, TEMPORARY]) await dropLeftOvers(join(this.#root, folder), own);
			await sweepMarks(own);
		});
	}

	/** Empty folders stay: a writer may be about to put a file there. */
	async delete(paths: string[]): Promise<void> {
		const files = paths.map((path) => [path, inFolder(this.#root, path)] as const);
		const removed = await Promise.allSettled(
			files.map(([path, file]) => this.#guard(path, () => unlink(file).catch(nullIfAbsent))),
		);
		const folders = new Set(files.map(([, file]) => dirname(file)));
		await this.#guard(paths[0] ?? "", () =>
			each(folders, SYNC_WIDTH, (folder) => syncFolder(folder).catch(ignoreAbsent)),
		);
		for (const result of removed) if (result.status === "rejected") throw result.reason;
	}

	async *#listFolder(folder: string, path: string): AsyncIterable<LakeFile> {
		const entries = await this.#guard(path, () => readdir(folder, { withFileTypes: true }).catch(nullIfAbsent));
		if (entries === null) return;
		const names = entries.filter((entry) => path !== "" || entry.name !== PRIVATE);
		const below = (name: string) => (path === "" ? name : `${path}/${name}`);
		const files = names.filter((entry) => !entry.isDirectory());
		const found = await this.#guard(path, () =>
			Promise.all(files.map((entry) => stat(join(folder, entry.name)).catch(nullIfAbsent))),
		);
		for (const [i, entry] of files.entries()) {
			const about = found[i];
			if (about?.isFile()) yield { path: below(entry.name), bytes: about.size, modified: about.mtimeMs };
		}
		for (const entry of names) {
			if (entry.isDirectory()) yield* this.#listFolder(join(folder, entry.name), below(entry.name));
		}
	}

	async #publishObject(key: string, file: string): Promise<void> {
		const staged = join(this.stage.folder, basename(key));
		try {
			await rename(staged, file);
		} catch (error) {
			if (systemCode(error) !== "ENOENT") throw error;
			if (await isThere(file)) return;
			if (!(await isThere(staged))) {
				throw new LakeError("LAKE_DAMAGED", `The object ${key} is neither staged nor in the lake.`, { path: key });
			}
			await this.#inMadeFolder(file, () => rename(staged, file));
		}
	}

	/** Moves a synced file into the lake; from another file system, a synced copy of it. */
	async #moveIn(localFile: string, file: string): Promise<void> {
		try {
			await this.#inMadeFolder(file, () => rename(localFile, file));
		} catch (error) {
			if (systemCode(error) !== "EXDEV") throw error;
			const copy = (temporary: string) => copyFile(localFile, temporary).then(() => syncFile(temporary));
			await this.#withTemporary(copy, (temporary) => rename(temporary, file));
		}
	}

	/** Writes the content to a synced temporary file, and passes its path to `use`. */
	#withContent<T>(content: Buffer, use: (temporary: string) => Promise<T>): Promise<T> {
		return this.#withTemporary((temporary) => writeSynced(temporary, content), use);
	}

	/** `make` fills a new temporary path, then `use` may move it away; what is left is removed. */
	async #withTemporary<T>(
		make: (temporary: string) => Promise<void>,
		use: (temporary: string) => Promise<T>,
	): Promise<T> {
		temporaryCount += 1;
		const temporary = join(this.#root, privateFile.aside(ownerId(), temporaryCount));
		try {
			await this.#inMadeFolder(temporary, () => {
				holdMark(join(this.#root, PRIVATE));
				return make(temporary);
			});
			return await use(temporary);
		} finally {
			await rm(temporary, { force: true });
		}
	}

	/** Makes the file's folder and runs `put`; both once more if the folder has been removed meanwhile. */
	async #inMadeFolder<T>(file: string, put: () => Promise<T>): Promise<T> {
		const folder = dirname(file);
		await this.#folders.ensure([folder]);
		try {
			return await put();
		} catch (error) {
			if (systemCode(error) !== "ENOENT") throw error;
			this.#folders.forget(folder);
			await this.#folders.ensure([folder]);
			return await put();
		}
	}

	async #guard<T>(path: string, work: () => Promise<T>): Promise<T> {
		try {
			return await work();
		} catch (error) {
			throw storeError(error, this.name, path);
		}
	}
}

function nullIfAbsent(error: unknown): null {
	if (isAbsent(error)) return null;
	throw error;
}

/** For rmdir: the rename that follows reports a folder that is not empty. */
function nullIfNoFolder(error: unknown): null {
	if (["ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST"].includes(systemCode(error) ?? "")) return null;
	throw error;
}

function ignoreAbsent(error: unknown): void {
	nullIfAbsent(error);
}

async function isThere(path: string): Promise<boolean> {
	return (await stat(path).catch(nullIfAbsent)) !== null;
}

function readIfThere(file: string): Buffer | null {
	try {
		return readFileSync(file);
	} catch (error) {
		return nullIfAbsent(error);
	}
}

function sameContent(one: Buffer | null, other: Buffer | null): boolean {
	return one === null || other === null ? one === other : one.equals(other);
}

/** Links `file` to the temporary file; false if the name is taken. */
async function linkOnce(temporary: string, file: string, path: string): Promise<boolean> {
	try {
		await link(temporary, file);
		return true;
	} catch (error) {
		const code = systemCode(error);
		if (code === "EEXIST") return false;
		if (code === null || !NO_LINKS.has(code)) throw error;
		throw new LakeError(
			"LAKE_UNSUPPORTED",
			`The lake's file system has no hard links, so ${path} cannot be written whole and once only.`,
			{
				path,
				cause: error,
				hint: "Give --lake a folder on a local disk (ext4, xfs, btrfs, apfs) or on NFS.",
			},
		);
	}
}

/**
 * Removes what dead processes left in a folder whose files' names begin with their owners' ids.
 * @param root folder of the owners' marks
 */
export async function dropLeftOvers(folder: string, root: string): Promise<void> {
	for (const name of (await readdir(folder).catch(nullIfAbsent)) ?? []) {
		const path = join(folder, name);
		if (!(await ownerLives(root, privateFile.asideOwner(name), path))) await rm(path, { recursive: true, force: true });
	}
}
