import { createHash } from "node:crypto";
import { createReadStream, type Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Dataset } from "../../../pipelines/dataset.js";
import type { Progress } from "../../../pipelines/ports/run.js";
import type { Listing, LooseFile, ShardInput, Source, SourceFile } from "../../../pipelines/ports/source.js";
import { allShards } from "../../../pipelines/shards.js";
import { metadataPath } from "../../../pipelines/splits.js";
import { LakeError, systemCode } from "../../../schemas/errors.js";
import { HashCache, unreadable } from "./hash-cache.js";

export interface FolderSourceOptions {
	/** The downloaded copy, with zips or unpacked folders where the dataset has them, and the metadata. */
	folder: string;
	dataset: Dataset;
	/** Those that it may be mistaken for. */
	datasets?: readonly Dataset[];
	/** Where hashes are remembered between runs; null remembers nothing. */
	cacheFile: string | null;
	/** Hash every file again. */
	rehash: boolean;
	/** Hashes that were remembered are used, new ones are not written down. */
	dryRun?: boolean;
	note: Progress["note"];
}

/** What the path leads to, links followed; null when there is nothing. */
async function look(path: string): Promise<Stats | null> {
	try {
		return await stat(path);
	} catch (error) {
		const code = systemCode(error);
		if (code === "ENOENT" || code === "ENOTDIR") return null;
		throw unreadable(path, error, 2);
	}
}

async function isFile(path: string): Promise<boolean> {
	return (await look(path))?.isFile() ?? false;
}

async function isFolder(path: string): Promise<boolean> {
	return (await look(path))?.isDirectory() ?? false;
}

/** Names of the regular files below a folder, with `/`. A link counts as the file it leads to; links to folders are not followed. */
async function filesBelow(folder: string, prefix = ""): Promise<string[]> {
	const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
		throw unreadable(folder, error);
	});
	const names: string[] = [];
	for (const entry of entries) {
		const path = join(folder, entry.name);
		const name = `${prefix}${entry.name}`;
		if (entry.isDirectory()) names.push(...(await filesBelow(path, `${name}/`)));
		else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) names.push(name);
	}
	return names;
}

function byBytes(a: string, b: string): number {
	return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** SHA-256 over the lines `<name>\0<sha256>\n`, sorted by the names' bytes. */
function filesHash(files: LooseFile[]): string {
	const hash = createHash("sha256");
	for (const file of files.toSorted((a, b) => byBytes(a.name, b.name))) hash.update(`${file.name}\0${file.sha256}\n`);
	return hash.digest("hex");
}

/** All results, or the first error after every task has ended: no read goes on behind the caller's back. */
async function allOf<T>(tasks: Promise<T>[]): Promise<T[]> {
	await Promise.allSettled(tasks);
	return Promise.all(tasks);
}

class FolderSource implements Source {
	readonly name: string;
	readonly #folder: string;
	readonly #hashes: HashCache;
	readonly #options: FolderSourceOptions;

	constructor(options: FolderSourceOptions) {
		this.#options = options;
		this.#folder = resolve(options.folder);
		this.name = pathToFileURL(this.#folder).href;
		this.#hashes = new HashCache(options.cacheFile, options.rehash);
	}

	async list(wanted: { shards: string[]; splits: string[] }, signal: AbortSignal): Promise<Listing> {
		await this.#check();
		try {
			const [shards, metadata, unknownZips] = await allOf<unknown>([
				this.#entries(wanted.shards, (shard) => this.#shard(shard, signal)),
				this.#entries(wanted.splits, (split) => this.#file(metadataPath(this.#options.dataset, split), signal)),
				this.#unknownZips(),
			]);
			return {
				uri: this.name,
				revision: null,
				commit: null,
				committedAt: null,
				explicitCommit: false,
				shards: shards as Map<string, ShardInput>,
				metadata: metadata as Map<string, SourceFile>,
				unknownZips: unknownZips as string[],
			};
		} finally {
			// After an interruption too: what was hashed once need not be hashed again.
			if (!this.#options.dryRun && !(await this.#hashes.save())) {
				this.#options.note("warn", `Hashes cannot be remembered in ${this.#options.cacheFile}.`);
			}
		}
	}

	localPath(file: SourceFile): string {
		return join(this.#folder, file.path);
	}

	read(file: SourceFile, offset: number, signal: AbortSignal): AsyncGenerator<Buffer> {
		return this.readRange(file, offset, file.bytes, signal);
	}

	/** To the file's end where that is asked for: a file that grew is noticed. */
	async *readRange(file: SourceFile, from: number, to: number, signal: AbortSignal): AsyncGenerator<Buffer> {
		const path = this.localPath(file);
		const end = to < file.bytes ? to - 1 : Number.POSITIVE_INFINITY;
		let left = to - from;
		try {
			for await (const chunk of createReadStream(path, { start: from, end, highWaterMark: 1 << 20, signal })) {
				left -= chunk.length;
				yield chunk;
			}
		} catch (error) {
			signal.throwIfAborted();
			throw unreadable(path, error);
		}
		if (left !== 0)
			throw new LakeError("SOURCE_CHANGED", `${path} has another size than when it was listed.`, { path });
	}

	async close(): Promise<void> {}

	/** Throws SOURCE_NOT_FOUND unless the folder holds a shard or a metadata file of the dataset. */
	async #check(): Promise<void> {
		const { dataset, datasets = [] } = this.#options;
		const fail = (why: string, more = {}) => new LakeError("SOURCE_NOT_FOUND", why, { path: this.#folder, ...more });
		const found = await look(this.#folder);
		if (found === null) throw fail(`The source folder ${this.#folder} does not exist.`);
		if (!found.isDirectory()) throw fail(`The source ${this.#folder} is not a folder.`);
		if (await this.#holds(dataset)) return;
		const why = `The source folder ${this.#folder} holds no shard of ${dataset.name}`;
		for (const other of datasets) {
			if (!(await this.#holds(other))) continue;
			throw fail(`${why}, but of ${other.name}.`, { hint: `Add --dataset ${other.name}, or check --source.` });
		}
		throw fail(`${why}.`);
	}

	async #holds(dataset: Dataset): Promise<boolean> {
		const { layout } = dataset;
		for (const shard of allShards(dataset)) {
			if (await isFile(join(this.#folder, layout.zipPath(shard)))) return true;
			if (await isFolder(join(this.#folder, layout.folderPath(shard)))) return true;
		}
		for (const { metadata } of layout.splits) if (await isFile(join(this.#folder, metadata))) return true;
		return false;
	}

	async #entries<K extends string, V>(keys: K[], find: (key: K) => Promise<V | null>): Promise<Map<K, V>> {
		const found = await allOf(keys.map(find));
		return new Map(keys.flatMap((key, index) => (found[index] ? [[key, found[index]] as const] : [])));
	}

	async #file(path: string, signal: AbortSignal): Promise<SourceFile | null> {
		const absolute = join(this.#folder, path);
		if (!(await isFile(absolute))) return null;
		const { bytes, sha256 } = await this.#hashes.hash(absolute, signal);
		return { path, bytes, sha256, gitOid: null };
	}

	/** The zip, where there is one; else the unpacked folder. */
	async #shard(shard: string, signal: AbortSignal): Promise<ShardInput | null> {
		const zip = await this.#file(this.#options.dataset.layout.zipPath(shard), signal);
		if (zip !== null && zip.sha256 !== null) return { form: "zip", file: zip, sha256: zip.sha256, bytes: zip.bytes };
		const folder = join(this.#folder, this.#options.dataset.layout.folderPath(shard));
		return (await isFolder(folder)) ? this.#unpacked(shard, folder, signal) : null;
	}

	async #unpacked(shard: string, folder: string, signal: AbortSignal): Promise<ShardInput> {
		const jsonName = this.#options.dataset.layout.jsonName(shard);
		const loose = async (name: string, path: string): Promise<LooseFile> => ({
			name,
			path,
			...pick(await this.#hashes.hash(path, signal)),
		});
		const names = (await filesBelow(folder)).sort(byBytes);
		const found = await allOf(names.map((name) => loose(name, join(folder, name))));
		const files = found.filter((file) => file.name !== jsonName);
		let json = found.find((file) => file.name === jsonName) ?? null;
		const beside = join(dirname(folder), jsonName);
		if (json === null && (await isFile(beside))) json = await loose(jsonName, beside);
		const all = json === null ? files : [...files, json];
		const bytes = all.reduce((sum, file) => sum + file.bytes, 0);
		return { form: "unpacked", files, json, sha256: filesHash(all), bytes };
	}

	/** Zips in the dataset's folders of zips, at most two folders deeper, that are no known shard. */
	async #unknownZips(): Promise<string[]> {
		const { dataset } = this.#options;
		const known = new Set(allShards(dataset).map((shard) => dataset.layout.zipPath(shard)));
		const unpacked = new Set(allShards(dataset).map((shard) => dataset.layout.folderPath(shard)));
		const unknown: string[] = [];
		const search = async (path: string, depth: number): Promise<void> => {
			const entries = await readdir(join(this.#folder, path), { withFileTypes: true }).catch((error) => {
				throw unreadable(join(this.#folder, path), error);
			});
			for (const entry of entries) {
				const inner = `${path}/${entry.name}`;
				if (!entry.isDirectory() && inner.endsWith(".zip") && !known.has(inner)) unknown.push(inner);
				if (entry.isDirectory() && depth > 0 && !unpacked.has(inner)) await search(inner, depth - 1);
			}
		};
		for (const folder of dataset.layout.zipFolders) {
			if (await isFolder(join(this.#folder, folder))) await search(folder, 2);
		}
		return unknown.sort();
	}
}

function pick({ bytes, sha256 }: { bytes: number; sha256: string }): { bytes: number; sha256: string } {
	return { bytes, sha256 };
}

/**
 * A downloaded copy of the dataset in a folder, `file:///dir`; links are followed, as the Hub's own cache needs it.
 * `list` hashes the shards asked for. Throws SOURCE_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_CHANGED.
 */
export function createFolderSource(options: FolderSourceOptions): Source {
	return new FolderSource(options);
}
