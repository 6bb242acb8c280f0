import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { threadId } from "node:worker_threads";
import type { ObjectStage } from "../../../pipelines/ports.js";
import { systemCode } from "../../../schemas/errors.js";
import { checkPath } from "./folder-paths.js";

/** Numbers the files of this thread. */
let partCount = 0;

/**
 * Stages objects on this machine's scratch disk, from where a store elsewhere takes them. Nothing is synced: what a
 * power cut loses is made again, since no receipt names it yet. Throws the file system's errors.
 */
export class ScratchStage implements ObjectStage {
	readonly #folder: string;

	constructor(folder: string) {
		this.#folder = folder;
	}

	async stage(key: string, content: Buffer): Promise<void> {
		checkPath(key);
		partCount += 1;
		const part = join(this.#folder, `.${process.pid}-${threadId}-${partCount}.part`);
		// Written in one go: the bytes only go into the system's memory.
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
