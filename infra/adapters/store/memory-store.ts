import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import type { ObjectStage, Store, StoredFile } from "../../../pipelines/ports.js";
import { LakeError } from "../../../schemas/errors.js";
import { checkPath } from "./folder-paths.js";

/** A lake in memory, its own stage as well; what it holds is lost with the process. */
export class MemoryStore implements Store, ObjectStage {
	readonly name = "memory";
	readonly #files = new Map<string, Buffer>();
	readonly #staged = new Map<string, Buffer>();

	async get(path: string): Promise<Buffer | null> {
		checkPath(path);
		const content = this.#files.get(path);
		return content === undefined ? null : Buffer.from(content);
	}

	async stat(path: string): Promise<StoredFile | null> {
		checkPath(path);
		const content = this.#files.get(path);
		return content === undefined ? null : { path, bytes: content.length };
	}

	async read(path: string): Promise<Readable> {
		const content = await this.get(path);
		if (content === null) throw new LakeError("LAKE_DAMAGED", `The lake has no file ${path}.`, { path });
		return Readable.from([content]);
	}

	localPath(): null {
		return null;
	}

	async *list(prefix: string): AsyncIterable<StoredFile> {
		const folder = prefix.replace(/\/$/, "");
		if (folder !== "") checkPath(folder);
		for (const [path, content] of [...this.#files]) {
			if (folder === "" ? path.startsWith(".irlake/") : !path.startsWith(`${folder}/`)) continue;
			yield { path, bytes: content.length };
		}
	}

	async putIfAbsent(path: string, content: Buffer): Promise<boolean> {
		checkPath(path);
		if (this.#files.has(path)) return false;
		this.#files.set(path, Buffer.from(content));
		return true;
	}

	async replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean> {
		checkPath(path);
		const present = this.#files.get(path) ?? null;
		const same = present === null || seen === null ? present === seen : present.equals(seen);
		if (same) this.#files.set(path, Buffer.from(content));
		return same;
	}

	async putFile(path: string, localFile: string): Promise<void> {
		checkPath(path);
		const content = await readFile(localFile);
		if (this.#files.get(path)?.length !== content.length) this.#files.set(path, content);
	}

	async overwrite(path: string, localFile: string): Promise<void> {
		checkPath(path);
		this.#files.set(path, await readFile(localFile));
	}

	async stage(key: string, content: Buffer): Promise<void> {
		checkPath(key);
		this.#staged.set(key, Buffer.from(content));
	}

	async publishObjects(staged: string[]): Promise<void> {
		for (const key of new Set(staged)) {
			checkPath(key);
			const content = this.#staged.get(key);
			if (content !== undefined) this.#files.set(key, content);
			this.#staged.delete(key);
			if (!this.#files.has(key)) {
				throw new LakeError("LAKE_DAMAGED", `The object ${key} is neither staged nor in the lake.`, { path: key });
			}
		}
	}

	async dropStaged(): Promise<void> {
		this.#staged.clear();
	}
}
