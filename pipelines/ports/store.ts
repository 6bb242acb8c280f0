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
 * A lake's storage, by what its users need of it: a function takes the narrowest. Paths are relative to the lake, with
 * `/`. Everything stored is whole or absent.
 */
export interface Reader {
	/** How a person would write it; for messages. */
	readonly name: string;
	/** Whole content of a small file, or null when absent. */
	get(path: string): Promise<Buffer | null>;
	stat(path: string): Promise<LakeFile | null>;
	read(path: string): Promise<Readable>;
	/** Where the file lies on this machine, or null of a store elsewhere. */
	localPath(path: string): string | null;
	/** Every file below a folder, in no order; `.irlake/` only when asked for by name. */
	list(prefix: string): AsyncIterable<LakeFile>;
}

/** Small files, on whose writes several processes agree. */
export interface Records {
	/** Writes durably unless the path exists; false when it does. Exactly one of two racing calls gets true. */
	putIfAbsent(path: string, content: Buffer): Promise<boolean>;
	/** Replaces a record: durable, whole at any moment. `seen` is what the caller read (null: absent); false when the store noticed that it changed. */
	replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean>;
}

/** Files that are named by their content. */
export interface Content {
	/** Moves a local file in under a name that is its content's; durable; does nothing when it is there already. */
	putFile(path: string, localFile: string): Promise<void>;
	/** Puts a local file over whatever is there, durable, whole at any moment: for what was found damaged, and nothing else. */
	overwrite(path: string, localFile: string): Promise<void>;
	/** Makes staged objects visible and durable, all of them, before it returns. */
	publishObjects(staged: string[]): Promise<void>;
	/** Drops what was staged and never published. */
	dropStaged(): Promise<void>;
}

export interface Sweeper {
	/** Removes files, durably, in no order; one that is absent is no error. Throws when one could not be removed, having tried them all. */
	delete(paths: string[]): Promise<void>;
}

export interface Store extends Reader, Records, Content, Sweeper {}

/** The place where a lake is or is to be, as whoever opens it sees it. */
export interface LakePlace {
	/** Where image threads stage objects. */
	readonly stage: StagePlace;
	/** To be called before anything is staged: others must not take it for a dead process's. Throws LAKE_UNWRITABLE, NO_SPACE. */
	beginStaging(): void;
	/** Throws LAKE_NOT_A_LAKE where other files are and no lake, LAKE_UNWRITABLE without access. Makes nothing. */
	requireLake(): Promise<void>;
	/** Refuses a place where two writers could not be kept apart, before anything is fetched. Throws LAKE_UNSUPPORTED. */
	prepareWrites(): Promise<void>;
	/** Free bytes of the disk that holds the lake or would hold it; null where there is no limit to see. */
	freeBytes(): Promise<number | null>;
}

/** Where objects are staged: in the lake's own folder, or on the scratch disk for a lake elsewhere. */
export interface StagePlace {
	kind: "folder" | "scratch";
	/** Absolute path; it need not exist. */
	folder: string;
}

/** Where an image thread puts the bytes of an object, before the shard is known to be good. */
export interface ObjectStage {
	/** `key` is the object's path in the lake; resolves when the bytes are durable. `content` may be overwritten once the call has returned, before that. */
	stage(key: string, content: Buffer): Promise<void>;
}

/** A private part of a lake's storage in which `doctor` tries out writes. */
export interface StoreProbe {
	/** Absolute path, where it is a folder. */
	folder: string | null;
	/** A new store there; each is an independent writer. */
	open(): Promise<Reader & Records>;
	/** The time by the storage's own clock; null if it has none. */
	now(): Promise<Date | null>;
	/** Removes the probe and all that it wrote. */
	remove(): Promise<void>;
}
