import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { each } from "../../../../pipelines/each.js";
import { systemCode } from "../../../../schemas/errors.js";

/** Makes files survive a power cut: sync the content, then the folder that holds the name. */

/** Syncs a file's content; opening it for reading is enough. */
export async function syncFile(path: string): Promise<void> {
	const handle = await open(path, "r");
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Syncs a folder's names. File systems that cannot sync folders (EINVAL) are trusted to keep them. */
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

/** Makes a new file and syncs its content. Throws EEXIST if the file exists. */
export async function writeSynced(path: string, content: Buffer): Promise<void> {
	const handle = await open(path, "wx");
	try {
		await handle.writeFile(content);
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Syncs in flight at once. Each waits for the disk; more than 16 were no faster. */
export const SYNC_WIDTH = 16;

/**
 * Makes folders below a root durably: after `ensure`, each folder exists and survives a power cut. Each is synced once
 * in a process's life, even if it existed: its maker may have been killed before the sync.
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

	/** Forgets a folder that has vanished, and its parents. */
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
