import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { takenOver } from "../../../pipelines/scratch/errors.js";
import { dropMark, holdMark, ownerLives } from "../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../pipelines/scratch/owner.js";
import { LakeError, systemCode } from "../../../schemas/errors.js";
import { nullIfAbsent } from "./journal.js";

/** Where an export is prepared, by one exporter at a time: `owner` names it, and its mark in `owners/` says whether it lives. */
export class ExporterFolder {
	readonly path: string;
	/** The export's, for messages. */
	readonly #name: string;
	readonly #owner: string;
	#locked = false;

	constructor(path: string, name: string) {
		this.path = path;
		this.#name = name;
		this.#owner = join(path, "owner");
	}

	/** Makes this process the only exporter. Throws OUT_BUSY if another one is alive. */
	async lock(): Promise<void> {
		holdMark(this.path);
		for (let attempt = 0; attempt < 2; attempt++) {
			try {
				await writeFile(this.#owner, ownerId(), { flag: "wx" });
				this.#locked = true;
				return;
			} catch (error) {
				if (systemCode(error) !== "EEXIST") throw error;
			}
			if (await ownerLives(this.path, await this.#readOwner(), this.#owner)) break;
			await rm(this.#owner, { force: true });
		}
		throw new LakeError("OUT_BUSY", `Another export into ${this.#name} is running.`, { path: this.#name });
	}

	/** Throws TAKEN_OVER if this process stood still for so long that another one exports now. */
	async requireMine(): Promise<void> {
		if ((await this.#readOwner()) !== ownerId()) throw takenOver(this.path);
	}

	/** Removes what a killed exporter left. Throws OUT_BUSY. */
	async tidy(): Promise<void> {
		if ((await readdir(this.path).catch(nullIfAbsent)) === null) return;
		await this.lock();
		await this.remove();
	}

	async remove(): Promise<void> {
		await dropMark(this.path);
		await rm(this.path, { recursive: true, force: true });
		this.#locked = false;
	}

	/** Lets another one export; what is prepared stays. */
	async close(): Promise<void> {
		if (this.#locked && (await this.#readOwner()) === ownerId()) await rm(this.#owner, { force: true });
		this.#locked = false;
		await dropMark(this.path);
	}

	async #readOwner(): Promise<string> {
		return (await readFile(this.#owner, "utf8").catch(nullIfAbsent)) ?? "";
	}
}
