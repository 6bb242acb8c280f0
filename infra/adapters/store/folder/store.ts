import { readFileSync, renameSync } from "node:fs";
import { copyFile, link, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { each } from "../../../../pipelines/each.js";
import { objectFile, PRIVATE, privateFile } from "../../../../pipelines/lake/paths.js";
import type { LakeFile, LakePlace, StagePlace, Store } from "../../../../pipelines/ports/store.js";
import { diskOf } from "../../../../pipelines/scratch/disk.js";
import { holdMark, ownerLives, sweepMarks } from "../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { LakeError, systemCode } from "../../../../schemas/errors.js";
import { DurableFolders, SYNC_WIDTH, syncFile, syncFolder, writeSynced } from "./durable.js";
import { inFolder, isAbsent, storeError } from "./paths.js";
import { requireLake } from "./require-lake.js";

const { asideFolder: ASIDE, stagedFolders: STAGED } = privateFile;
/** What link() answers where hard links cannot be had. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV"]);

/**
 * A lake in a folder, which is made at the first write. Everything is made aside, synced, then named by link()
 * (once only) or rename() (content-named files, `latest.json`), and the folder synced, before a call returns.
 *
 * Throws LAKE_UNWRITABLE (no access, or a failing disk), NO_SPACE, LAKE_UNSUPPORTED (no hard links), INTERNAL (a path outside the lake).
 */
export function openFolderStore(folder: string): Store & LakePlace {
	return new Folder(folder);
}

/** Numbers the files made aside in this process, over all its stores. */
let asideCount = 0;

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
				!taken && (await this.#aside(content, (aside) => this.#intoFolder(file, () => linkOnce(aside, file, path))));
			// Where it was there already, its name is perhaps not synced yet, and the caller may build on it.
			await syncFolder(dirname(file));
			return made;
		});
	}

	replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean> {
		return this.#guard(path, async () => {
			const file = inFolder(this.#root, path);
			const replaced = await this.#aside(content, async (aside) => {
				await this.#folders.ensure([dirname(file)]);
				// Looked at and replaced in one breath: no other call of this process comes between, and another
				// process has microseconds. Whoever publishes looks again afterwards.
				if (!sameContent(readIfThere(file), seen)) return false;
				renameSync(aside, file);
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

	/** A folder in the file's place gives way where it is empty. */
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
	 * Each key's staged file, synced already, is renamed into place, over one that is there (the bytes are the same, or
	 * that one is damaged). A file that is no longer staged was published by another shard. Then all folders touched are
	 * synced. Throws LAKE_DAMAGED where an object is neither staged nor in place.
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
			for (const folder of [STAGED, ASIDE]) await dropLeftOvers(join(this.#root, folder), own);
			await sweepMarks(own);
		});
	}

	/** Folders stay, be they empty: a writer may be about to put a file there. */
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
			await this.#intoFolder(file, () => rename(staged, file));
		}
	}

	/** Moves a synced file in; by way of a synced copy where it lies on another file system. */
	async #moveIn(localFile: string, file: string): Promise<void> {
		try {
			await this.#intoFolder(file, () => rename(localFile, file));
		} catch (error) {
			if (systemCode(error) !== "EXDEV") throw error;
			const copy = (aside: string) => copyFile(localFile, aside).then(() => syncFile(aside));
			await this.#withAside(copy, (aside) => rename(aside, file));
		}
	}

	/** Makes a synced file of this content aside, and runs `use` with its path. */
	#aside<T>(content: Buffer, use: (aside: string) => Promise<T>): Promise<T> {
		return this.#withAside((aside) => writeSynced(aside, content), use);
	}

	/** `make` fills a path that nobody else has, then `use` takes it; what is left there is removed. */
	async #withAside<T>(make: (aside: string) => Promise<void>, use: (aside: string) => Promise<T>): Promise<T> {
		asideCount += 1;
		const aside = join(this.#root, privateFile.aside(ownerId(), asideCount));
		try {
			await this.#intoFolder(aside, () => {
				holdMark(join(this.#root, PRIVATE));
				return make(aside);
			});
			return await use(aside);
		} finally {
			await rm(aside, { force: true });
		}
	}

	/** Runs `put` with the file's folder made; once more where the folder was removed meanwhile. */
	async #intoFolder<T>(file: string, put: () => Promise<T>): Promise<T> {
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

/** Of a folder that is not empty the rename says so. */
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

/** Names `aside` by `file` as well, unless that name is taken: then false. */
async function linkOnce(aside: string, file: string, path: string): Promise<boolean> {
	try {
		await link(aside, file);
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
 * Removes from a folder, whose names begin with their owners' ids, what dead processes left.
 * @param root where the owners keep their marks
 */
export async function dropLeftOvers(folder: string, root: string): Promise<void> {
	for (const name of (await readdir(folder).catch(nullIfAbsent)) ?? []) {
		const path = join(folder, name);
		if (!(await ownerLives(root, privateFile.asideOwner(name), path))) await rm(path, { recursive: true, force: true });
	}
}
