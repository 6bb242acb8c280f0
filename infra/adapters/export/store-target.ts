import { createHash } from "node:crypto";
import { copyFile, link, mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { privateFile } from "../../../pipelines/lake/paths.js";
import type { ExportTarget } from "../../../pipelines/ports/exports.js";
import type { Store, StoredFile } from "../../../pipelines/ports/store.js";
import { LakeError } from "../../../schemas/errors.js";
import type { ExportedFile } from "../../../schemas/export.js";
import { ExporterFolder } from "./exporter-folder.js";
import { COMPLETION_FILES, nullIfAbsent, readFinished, recordFinished } from "./journal.js";

/** Record of what is exported to a prefix; hidden from its listing, like a lake's private files. */
const KEY = privateFile.exportKey;

/**
 * An export in a bucket. Files get their final names as they are finished, except the completion files, which come last.
 * A prefix holds one export forever: a record that is written first and never replaced says which, so that a file found
 * there with the right size has the right bytes. The journal is kept on this machine, below `scratch`.
 */
export function openStoreTarget(store: Store, scratch: string): ExportTarget {
	return new StoreTarget(store, join(scratch, createHash("sha256").update(store.name).digest("hex").slice(0, 16)));
}

class StoreTarget implements ExportTarget {
	readonly name: string;
	readonly #store: Store;
	readonly #local: string;
	readonly #own: ExporterFolder;
	readonly #sizes = new Map<string, number>();
	#temporaryCount = 0;

	constructor(store: Store, local: string) {
		this.name = store.name;
		this.#store = store;
		this.#local = local;
		/** One in each scratch folder; those in others write the same bytes. */
		this.#own = new ExporterFolder(local, store.name);
	}

	get(path: string): Promise<Buffer | null> {
		return this.#store.get(path);
	}

	list(): AsyncIterable<StoredFile> {
		return this.#store.list("");
	}

	async begin(key: string): Promise<Map<string, ExportedFile>> {
		for await (const { path, bytes } of this.#store.list("")) this.#sizes.set(path, bytes);
		const content = Buffer.from(`${key}\n`);
		const found = await this.#store.get(KEY);
		const first = [...this.#sizes.keys()].sort().slice(0, 3).join(", ");
		if (found ? !found.equals(content) : first !== "") {
			const what = found ? "another export" : `other files: ${first}`;
			throw new LakeError("OUT_NOT_EMPTY", `The prefix ${this.name} holds ${what}.`, {
				path: this.name,
				hint: "Give --out an empty or new prefix: an export in a bucket is not replaced.",
			});
		}
		if (!found) await this.#store.putIfAbsent(KEY, content);
		await this.#own.lock();
		await rm(join(this.#local, "aside"), { recursive: true, force: true });
		await mkdir(join(this.#local, "aside"), { recursive: true });
		const done = await readFinished(join(this.#local, "done"), async (path) => this.#sizes.get(path) ?? null);
		if (!found) await rm(join(this.#local, "done"), { force: true });
		return found ? done : new Map();
	}

	async temporaryPath(): Promise<string> {
		this.#temporaryCount += 1;
		return join(this.#local, "aside", String(this.#temporaryCount));
	}

	async put(file: ExportedFile, local: string): Promise<void> {
		await this.#own.requireMine();
		if (COMPLETION_FILES.has(file.path)) return rename(local, join(this.#local, file.path));
		await this.#store.putFile(file.path, local);
		await rm(local, { force: true });
		await recordFinished(join(this.#local, "done"), file);
	}

	async link(path: string, bytes: number, local: () => Promise<string>): Promise<void> {
		if (this.#sizes.get(path) === bytes) return;
		const from = await local();
		// The store takes over the file it is given, and this one may be the lake's own.
		const mine = await this.temporaryPath();
		await link(from, mine).catch(() => copyFile(from, mine));
		await this.#store.putFile(path, mine);
		await rm(mine, { force: true });
	}

	async publish(last: string[]): Promise<void> {
		await this.#own.requireMine();
		for (const path of last) {
			const local = join(this.#local, path);
			if ((await stat(local).catch(nullIfAbsent)) !== null) await this.#store.putFile(path, local);
		}
		await this.#own.remove();
	}

	tidy(): Promise<void> {
		return this.#own.tidy();
	}

	close(): Promise<void> {
		return this.#own.close();
	}
}
