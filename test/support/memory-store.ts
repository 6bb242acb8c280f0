import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { checkPath } from "../../infra/adapters/store/folder/paths.js";
import type { LakeFile, ObjectStage, Store } from "../../pipelines/ports/store.js";
import { LakeError } from "../../schemas/errors.js";

/** A lake in memory, its own stage as well; what it holds is lost with the process. */
export class MemoryStore implements Store, ObjectStage {
	readonly name = "memory";
	readonly #files = new Map<string, { content: Buffer; modified: number }>();
	readonly #staged = new Map<string, Buffer>();

	async get(path: string): Promise<Buffer | null> {
		checkPath(path);
		const file = this.#files.get(path);
		return file === undefined ? null : Buffer.from(file.content);
	}

	async stat(path: string): Promise<LakeFile | null> {
		checkPath(path);
		const file = this.#files.get(path);
		return file === undefined ? null : { path, bytes: file.content.length, modified: file.modified };
	}

	async read(path: string): Promise<Readable> {
		const content = await this.get(path);
		if (content === null) throw new LakeError("LAKE_DAMAGED", `The lake has no file ${path}.`, { path });
		return Readable.from([content]);
	}

	localPath(): null {
		return null;
	}

	async *list(prefix: string): AsyncIterable<LakeFile> {
		const folder = prefix.replace(/\/$/, "");
		if (folder !== "") checkPath(folder);
		for (const [path, { content, modified }] of [...this.#files]) {
			if (folder === "" ? path.startsWith(".irlake/") : !path.startsWith(`${folder}/`)) continue;
			yield { path, bytes: content.length, modified };
		}
	}

	async putIfAbsent(path: string, content: Buffer): Promise<boolean> {
		checkPath(path);
		if (this.#files.has(path)) return false;
		this.#put(path, Buffer.from(content));
		return true;
	}

	async replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean> {
		checkPath(path);
		const present = this.#files.get(path)?.content ?? null;
		const same = present === null || seen === null ? present === seen : present.equals(seen);
		if (same) this.#put(path, Buffer.from(content));
		return same;
	}

	async putFile(path: string, localFile: string): Promise<void> {
		checkPath(path);
		const content = await readFile(localFile);
		if (this.#files.get(path)?.content.length !== content.length) this.#put(path, content);
	}

	async overwrite(path: string, localFile: string): Promise<void> {
		checkPath(path);
		this.#put(path, await readFile(localFile));
	}

	async stage(key: string, content: Buffer): Promise<void> {
		checkPath(key);
		this.#staged.set(key, Buffer.from(content));
	}

	async publishObjects(staged: string[]): Promise<void> {
		for (const key of new Set(staged)) {
			checkPath(key);
			const content = this.#staged.get(key);
			if (content !== undefined) this.#put(key, content);
			this.#staged.delete(key);
			if (!this.#files.has(key)) {
				throw new LakeError("LAKE_DAMAGED", `The object ${key} is neither staged nor in the lake.`, { path: key });
			}
		}
	}

	async dropStaged(): Promise<void> {
		this.#staged.clear();
	}

	async delete(paths: string[]): Promise<void> {
		for (const path of paths) checkPath(path);
		for (const path of paths) this.#files.delete(path);
	}

	#put(path: string, content: Buffer): void {
		this.#files.set(path, { content, modified: Date.now() });
	}
}
