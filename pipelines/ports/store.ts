import type { Readable } from "node:stream";

/** Where the lake is. Adapters under `infra/` implement these. */

export interface StoredFile {
	path: string;
	bytes: number;
}

/** A file of a lake, with when it was last written: milliseconds by the storage's own clock. */
export interface LakeFile extends StoredFile {
	modified: number;
}

/**
 * A lake's storage, split by what its users need: a function asks for the narrowest interface it can do with. Paths are
 * relative to the lake, with `/`. Every stored file is whole or absent.
 */
export interface Reader {
	/** The lake as a person would write it, for messages. */
	readonly name: string;
	/** Whole content of a small file, or null when absent. */
	get(path: string): Promise<Buffer | null>;
	stat(path: string): Promise<LakeFile | null>;
	read(path: string): Promise<Readable>;
	/** Path of the file on this machine, or null if the store is elsewhere. */
	localPath(path: string): string | null;
	/** Every file below a folder, in no order; `.irlake/` only when named. */
	list(prefix: string): AsyncIterable<LakeFile>;
}

/** Small files that several processes may write at once. */
export interface Records {
	/** Writes durably unless the path exists; false when it does. Exactly one of two racing calls gets true. */
	putIfAbsent(path: string, content: Buffer): Promise<boolean>;
	/**
	 * Replaces a record durably; it is whole at every moment. `seen` is what the caller read, null if it was absent. False
	 * when the store noticed that it has changed since.
	 */
	replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean>;
}

/** Files named by their content. */
export interface Content {
	/** Moves a local file in, durably, under a name derived from its content; does nothing if that name exists. */
	putFile(path: string, localFile: string): Promise<void>;
	/** Puts a local file over what is there, durably; whole at every moment. Only for files that were found damaged. */
	overwrite(path: string, localFile: string): Promise<void>;
	/** Makes all these staged objects visible and durable before it returns. */
	publishObjects(staged: string[]): Promise<void>;
	/** Drops objects that were staged and never published. */
	dropStaged(): Promise<void>;
}

export interface Sweeper {
	/**
	 * Removes files, durably, in no order; an absent one is no error. Tries them all, then throws if one could not be
	 * removed.
	 */
	delete(paths: string[]): Promise<void>;
}

export interface Store extends Reader, Records, Content, Sweeper {}

/** The place of a lake that exists or is to be created. */
export interface LakePlace {
	/** Where the image threads stage objects. */
	readonly stage: StagePlace;
	/** Call before staging anything, so that others see that its owner is alive. Throws LAKE_UNWRITABLE, NO_SPACE. */
	beginStaging(): void;
	/** Throws LAKE_NOT_A_LAKE if other files are there and no lake, LAKE_UNWRITABLE without access. Creates nothing. */
	requireLake(): Promise<void>;
	/** Throws LAKE_UNSUPPORTED, before anything is fetched, if the place cannot keep two writers apart. */
	prepareWrites(): Promise<void>;
	/** Free bytes of the disk that holds or would hold the lake; null if there is no known limit. */
	freeBytes(): Promise<number | null>;
}

/** Where objects are staged: in the lake's own folder, or on the scratch disk if the lake is elsewhere. */
export interface StagePlace {
	kind: "folder" | "scratch";
	/** Absolute path; it need not exist. */
	folder: string;
}

/** Takes the bytes of an object from an image thread, before the shard is known to be good. */
export interface ObjectStage {
	/**
	 * `key` is the object's path in the lake. Resolves when the bytes are durable; `content` may be overwritten as soon
	 * as the call returns.
	 */
	stage(key: string, content: Buffer): Promise<void>;
}

/** A private part of a lake's storage, for `doctor` to try writes in. */
export interface StoreProbe {
	/** Absolute path, if it is a folder. */
	folder: string | null;
	/** A new store in it; each is an independent writer. */
	open(): Promise<Reader & Records>;
	/** The time by the storage's own clock; null if it has none. */
	now(): Promise<Date | null>;
	/** Removes the probe and all that it wrote. */
	remove(): Promise<void>;
}
