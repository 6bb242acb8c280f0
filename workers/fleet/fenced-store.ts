import type { Readable } from "node:stream";
import type { LakeFile, Store } from "../../pipelines/ports/store.js";

/**
 * A store that asks, before each write, whether the job is still this worker's: one that lost its lock writes nothing.
 */
export class FencedStore implements Store {
	readonly #store: Store;
	readonly #stillMine: () => Promise<void>;

	/** @param stillMine throws when it is not */
	constructor(store: Store, stillMine: () => Promise<void>) {
		this.#store = store;
		this.#stillMine = stillMine;
	}

	get name(): string {
		return this.#store.name;
	}

	get(path: string): Promise<Buffer | null> {
		return this.#store.get(path);
	}

	stat(path: string): Promise<LakeFile | null> {
		return this.#store.stat(path);
	}

	read(path: string): Promise<Readable> {
		return this.#store.read(path);
	}

	localPath(path: string): string | null {
		return this.#store.localPath(path);
	}

	list(prefix: string): AsyncIterable<LakeFile> {
		return this.#store.list(prefix);
	}

	async putIfAbsent(path: string, content: Buffer): Promise<boolean> {
		await this.#stillMine();
		return this.#store.putIfAbsent(path, content);
	}

	async replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean> {
		await this.#stillMine();
		return this.#store.replace(path, content, seen);
	}

	async putFile(path: string, localFile: string): Promise<void> {
		await this.#stillMine();
		return this.#store.putFile(path, localFile);
	}

	async overwrite(path: string, localFile: string): Promise<void> {
		await this.#stillMine();
		return this.#store.overwrite(path, localFile);
	}

	async publishObjects(staged: string[]): Promise<void> {
		await this.#stillMine();
		return this.#store.publishObjects(staged);
	}

	dropStaged(): Promise<void> {
		return this.#store.dropStaged();
	}

	async delete(paths: string[]): Promise<void> {
		await this.#stillMine();
		return this.#store.delete(paths);
	}
}
