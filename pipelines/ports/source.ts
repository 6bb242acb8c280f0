import type { LakeError } from "../../schemas/errors.js";
/** Where the dataset is read from. Adapters under `infra/` implement these. */

/** One file of the source, as listed. */
export interface SourceFile {
	/** Path inside the source, with `/`. */
	path: string;
	bytes: number;
	/** As the source lists it; null when it lists none (a small file that is not in LFS). */
	sha256: string | null;
	/** Git's blob SHA-1, if the source lists one. */
	gitOid: string | null;
}

/** A file of an unpacked shard. */
export interface LooseFile {
	/** Name relative to the shard's folder. */
	name: string;
	/** Absolute path on this machine. */
	path: string;
	bytes: number;
	sha256: string;
}

/** Where one shard's content is. The `sha256` of an unpacked shard is over its sorted names and hashes. */
export type ShardInput =
	| { form: "zip"; file: SourceFile; sha256: string; bytes: number }
	| { form: "unpacked"; files: LooseFile[]; json: LooseFile | null; sha256: string; bytes: number };

/** What the source holds at one commit. Plain data. */
export interface Listing {
	/** In canonical form: without an endpoint, with the repository's present name. */
	uri: string;
	revision: string | null;
	/** Null when the source is a folder. */
	commit: string | null;
	/** `2024-03-04T05:06:07Z`, or null. */
	committedAt: string | null;
	/** Whether the user named this very commit, not a branch. */
	explicitCommit: boolean;
	/** By the shard's name. Shards that were not asked for may be absent. */
	shards: Map<string, ShardInput>;
	metadata: Map<string, SourceFile>;
	/** Zips in the dataset's zip folders that are not known shards. */
	unknownZips: string[];
}

/** The commit that a revision resolved to; every later request is made at this commit. */
export interface SourcePin {
	/** The repository's name at that time. */
	repo: string;
	commit: string;
	/** `2024-03-04T05:06:07Z`, or null. */
	committedAt: string | null;
}

export interface Source {
	/** The source as a person would write it, for messages. */
	readonly name: string;
	/** Resolves the revision once, and lists. Throws before any side effect when the source cannot be reached. */
	list(wanted: { shards: string[]; splits: string[] }, signal: AbortSignal): Promise<Listing>;
	/** Path of the file on this machine, or null when it must be downloaded. */
	localPath(file: SourceFile): string | null;
	/**
	 * The file's bytes from `offset` on, at the listing's commit, in one attempt. Throws a LakeError that
	 * says whether a retry can help; `restart` is called before the first byte if the answer begins at 0. A buffer is
	 * valid until the next one is asked for.
	 */
	read(file: SourceFile, offset: number, signal: AbortSignal, restart: () => void): AsyncIterable<Buffer>;
	/**
	 * Exactly the file's bytes from `from` up to `to` (exclusive), at the listing's commit, in one attempt, in
	 * order. Throws a LakeError that says whether a retry can help. A buffer is valid until the next one is asked for.
	 */
	readRange(file: SourceFile, from: number, to: number, signal: AbortSignal): AsyncIterable<Buffer>;
	close(): Promise<void>;
}

/** One request to the Hub, and its answer. */
export interface HubReply {
	/** Time in the answer's headers; null when there was none. */
	date: Date | null;
	/** This machine's time in the middle of the exchange. */
	at: Date;
	/** Null when the answer was good. */
	error: LakeError | null;
}
