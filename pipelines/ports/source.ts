import type { LakeError } from "../../schemas/errors.js";
/** Where the dataset is read from. Adapters under `infra/` implement these. */

/** One file of the source, as listed. */
export interface SourceFile {
	/** Path inside the source, with `/`. */
	path: string;
	bytes: number;
	/** As the source lists it; null where it lists none (a small file that is not in LFS). */
	sha256: string | null;
	/** Git's blob SHA-1, where the source lists one. */
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

/** Where one shard's content is. `sha256` of an unpacked shard is over its sorted names and hashes. */
export type ShardInput =
	| { form: "zip"; file: SourceFile; sha256: string; bytes: number }
	| { form: "unpacked"; files: LooseFile[]; json: LooseFile | null; sha256: string; bytes: number };

/** What the source holds at one commit. Plain data. */
export interface Listing {
	/** Canonical: no endpoint, no old name. */
	uri: string;
	revision: string | null;
	/** Null of a folder. */
	commit: string | null;
	/** `2024-03-04T05:06:07Z`, or null. */
	committedAt: string | null;
	/** Whether the user named this very commit, not a branch. */
	explicitCommit: boolean;
	/** By the shard's name. Shards that were not asked for may be absent. */
	shards: Map<string, ShardInput>;
	metadata: Map<string, SourceFile>;
	/** Zips below the dataset's folders of zips that are no known shard. */
	unknownZips: string[];
}

/** What a revision stood for when it was resolved; everything later is asked for at this commit. */
export interface SourcePin {
	/** The repository's name at that time. */
	repo: string;
	commit: string;
	/** `2024-03-04T05:06:07Z`, or null. */
	committedAt: string | null;
}

export interface Source {
	/** How a person would write it; for messages. */
	readonly name: string;
	/** Resolves the revision once, and lists. Throws before any side effect when the source cannot be had. */
	list(wanted: { shards: string[]; splits: string[] }, signal: AbortSignal): Promise<Listing>;
	/** Where the file lies on this machine already, or null when it must be downloaded. */
	localPath(file: SourceFile): string | null;
	/**
	 * The file's bytes from `offset` on, at the listing's commit, in one attempt. Throws a LakeError that
	 * says whether a retry can help; `restart` is called before the first byte when the answer begins at 0. A buffer is
	 * valid until the next one is asked for.
	 */
	read(file: SourceFile, offset: number, signal: AbortSignal, restart: () => void): AsyncIterable<Buffer>;
	/**
	 * The file's bytes from `from` up to `to` (exclusive), at the listing's commit, in one attempt: those and no others, in
	 * order. Throws a LakeError that says whether a retry can help. A buffer is valid until the next one is asked for.
	 */
	readRange(file: SourceFile, from: number, to: number, signal: AbortSignal): AsyncIterable<Buffer>;
	close(): Promise<void>;
}

/** One question to the Hub, and what came of it. */
export interface HubReply {
	/** The answer's own time; null where there was none. */
	date: Date | null;
	/** This machine's time in the middle of the exchange. */
	at: Date;
	/** Null of a good answer. */
	error: LakeError | null;
}
