import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { threadId } from "node:worker_threads";
import type { ObjectStage } from "../../../../pipelines/ports/store.js";
import { isDiskFull } from "../../../../pipelines/scratch/disk.js";
import { LakeError, systemCode } from "../../../../schemas/errors.js";
import { checkPath } from "../folder/paths.js";

/** Numbers the files of this thread. */
let partCount = 0;

/**
 * Stages objects on this machine's scratch disk, from which a remote store uploads them. Nothing is synced: what a
 * power cut loses is made again, since no receipt names it yet.
 */
export class ScratchStage implements ObjectStage {
	readonly #folder: string;

	constructor(folder: string) {
		this.#folder = folder;
	}

	/** Throws NO_SPACE, and USAGE where the folder cannot be used. */
	async stage(key: string, content: Buffer): Promise<void> {
		checkPath(key);
		try {
			this.#write(key, content);
		} catch (error) {
			throw stageError(error, this.#folder);
		}
	}

	#write(key: string, content: Buffer): void {
		partCount += 1;
		const part = join(this.#folder, `.${process.pid}-${threadId}-${partCount}.part`);
		// Synchronously: the bytes go only into the page cache.
		try {
			writeFileSync(part, content, { flag: "wx" });
		} catch (error) {
			if (systemCode(error) !== "ENOENT") throw error;
			mkdirSync(this.#folder, { recursive: true });
			writeFileSync(part, content, { flag: "wx" });
		}
		renameSync(part, join(this.#folder, basename(key)));
	}
}

function stageError(cause: unknown, folder: string): LakeError {
	const code = systemCode(cause);
	const details = { path: folder, cause };
	if (isDiskFull(cause)) {
		return new LakeError("NO_SPACE", `The scratch disk has no space left for objects in ${folder}.`, details);
	}
	const hint = "Check the folder and its disk, or give another --scratch; then run again.";
	return new LakeError("USAGE", `The scratch folder ${folder} failed (${code}).`, {
		...details,
		hint,
		exit: 1,
		retry: true,
	});
}
