import { closeSync, fsync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { threadId } from "node:worker_threads";
import type { ObjectStage } from "../../../../pipelines/ports/store.js";
import { systemCode } from "../../../../schemas/errors.js";
import { dropCache } from "./drop-cache.js";
import { checkPath, storeError } from "./paths.js";

/** Numbers this thread's files. */
let partCount = 0;

/**
 * Stages objects in a folder store's `stage`, from any thread or process.
 *
 * Each object is synced here, not in a batch later. Measured on ext4 with objects of 300 KB, two in flight: 0.4 ms a file
 * without a sync, 0.9 ms with one; synced later, 16 at once, 0.8 to 0.9 ms in all. For 470 MB in a row on a busy disk,
 * 2.6 to 4.1 ms against 2.8 to 3.9. So a batch saves nothing, while here other images are decoded during the wait.
 */
export class FolderStage implements ObjectStage {
	readonly #folder: string;
	/** For messages. */
	readonly #lake: string;

	/** `stageFolder` is a folder store's: `<lake>/.irlake/staged/<owner>`. */
	constructor(stageFolder: string) {
		this.#folder = stageFolder;
		this.#lake = resolve(stageFolder, "../../..");
	}

	/** Throws LAKE_UNWRITABLE, NO_SPACE. */
	async stage(key: string, content: Buffer): Promise<void> {
		checkPath(key);
		const file = join(this.#folder, basename(key));
		try {
			const fd = this.#create(file);
			if (fd !== null) return await writeAndSync(fd, content);
			// The same content came twice, or a host died while it wrote this file: replaced by a whole one.
			partCount += 1;
			const part = join(this.#folder, `.${process.pid}-${threadId}-${partCount}.part`);
			await writeAndSync(openSync(part, "wx"), content);
			renameSync(part, file);
		} catch (error) {
			throw storeError(error, this.#lake, key);
		}
	}

	/** A new file's descriptor, or null if the file exists. */
	#create(file: string): number | null {
		try {
			return openSync(file, "wx");
		} catch (error) {
			if (systemCode(error) === "EEXIST") return null;
			if (systemCode(error) !== "ENOENT") throw error;
			mkdirSync(this.#folder, { recursive: true });
			return openSync(file, "wx");
		}
	}
}

/**
 * Writes synchronously, since the bytes go only into the page cache; waits for the disk without blocking the thread.
 * Measured with 330 KB: 0.40 ms of CPU time, against 0.70 with asynchronous writes.
 */
async function writeAndSync(fd: number, content: Buffer): Promise<void> {
	try {
		for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
		await new Promise<void>((resolve, reject) => fsync(fd, (error) => (error ? reject(error) : resolve())));
		dropCache(fd);
	} finally {
		closeSync(fd);
	}
}
