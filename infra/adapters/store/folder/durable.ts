import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { each } from "../../../../pipelines/each.js";
import { systemCode } from "../../../../schemas/errors.js";

/** What makes a file survive a power cut: its content synced, then the folder that names it. */

/** Syncs a file's content; an open for reading is enough. */
export async function syncFile(path: string): Promise<void> {
	const handle = await open(path, "r");
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Syncs a folder's names. A file system that cannot sync folders (EINVAL) keeps them in its own way. */
export async function syncFolder(path: string): Promise<void> {
	const handle = await open(path, "r");
	try {
		await handle.sync();
	} catch (error) {
		if (systemCode(error) !== "EINVAL") throw error;
	} finally {
		await handle.close();
	}
}

/** Makes a new file with its content synced. Throws EEXIST where it is there already. */
export async function writeSynced(path: string, content: Buffer): Promise<void> {
	const handle = await open(path, "wx");
	try {
		await handle.writeFile(content);
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Syncs run at once: each waits for the disk, and 16 of them were as quick as more. */
export const SYNC_WIDTH = 16;

/**
 * Folders below a root, made durably: after `ensure`, each folder asked for is there, and so is its name after a
 * power cut. A folder is synced once in a process's life, whoever made it: its maker may have been killed before it did.
 */
export class DurableFolders {
	readonly #root: string;
	readonly #known = new Set<string>();

	/** `root` is absolute; it need not exist. */
	constructor(root: string) {
		this.#root = root;
	}

	/** `folders` are absolute paths, the root itself or below it. */
	async ensure(folders: Iterable<string>): Promise<void> {
		const missing = [...new Set(folders)].filter((folder) => !this.#known.has(folder));
		if (missing.length === 0) return;
		const chain = new Set<string>();
		for (const folder of missing) {
			for (let at = folder; at !== this.#root && !this.#known.has(at); at = dirname(at)) chain.add(at);
		}
		if (!this.#known.has(this.#root)) await this.#ensureRoot();
		await each(missing, SYNC_WIDTH, async (folder) => {
			await mkdir(folder, { recursive: true });
		});
		await each(new Set([...chain].map((folder) => dirname(folder))), SYNC_WIDTH, syncFolder);
		for (const folder of chain) this.#known.add(folder);
	}

	/** Forgets a folder that turned out to be gone, with its parents. */
	forget(folder: string): void {
		for (let at = folder; this.#known.has(at); at = dirname(at)) this.#known.delete(at);
	}

	async #ensureRoot(): Promise<void> {
		const first = await mkdir(this.#root, { recursive: true });
		if (first !== undefined) {
			for (let at = dirname(this.#root); at.length >= dirname(first).length; at = dirname(at)) {
				await syncFolder(at);
				if (at === dirname(at)) break;
			}
		}
		this.#known.add(this.#root);
	}
}
