import type { SourceFormat } from "../../schemas/stored-format.js";
import type { ShardInput } from "./source.js";

/** A shard's members. Adapters under `infra/` implement these. */

/** Where a member's bytes are; plain data, handed to the image threads. */
export type MemberRef =
	| {
			kind: "zip";
			zip: string;
			/** Offset of the local header. */
			headerOffset: number;
			compressedBytes: number;
			/** Size and CRC-32 as the central directory gives them. */
			bytes: number;
			crc32: number;
			/** 0 stored, 8 deflate; others are unreadable. */
			method: number;
			encrypted: boolean;
	  }
	| { kind: "file"; path: string; bytes: number };

export interface Member {
	/** Name relative to the shard's folder. */
	name: string;
	ref: MemberRef;
}

/** Names of a shard's own files, without folders. */
export interface ShardFiles {
	/** The name used in messages, wherever the zip is. */
	zip: string;
	/** The one folder inside the zip that may hold all the others. */
	folder: string;
	json: string;
	/** Format of the images. */
	format: SourceFormat;
}

/** A shard, opened and found safe. */
export interface Archive {
	/** The JSON of its rows, or null when there is none. */
	json: Member | null;
	/** Every other member in the order of the directory, without folders. */
	members: Member[];
}

export interface ArchiveReader {
	/**
	 * Images of a zip that is still being written, found by their local headers: those that begin at `from` or later and
	 * end at `to` or before. `next` is the offset of the first member after them, null when that cannot be known.
	 */
	arrived(
		zip: string,
		range: { from: number; to: number },
		format: SourceFormat,
	): { refs: MemberRef[]; next: number | null };
	/**
	 * Offset of a zip's own records. `open` reads nothing but these, up to the zip's end, and the members' local headers.
	 * `bytes` is the zip's size; `read` returns its bytes at a position. Throws ZIP_CORRUPT, ZIP_UNSAFE, and what `read`
	 * throws.
	 */
	recordsStart(
		zipName: string,
		bytes: number,
		read: (position: number, length: number) => Promise<Buffer>,
	): Promise<number>;
	/** Reads the directory. Throws ZIP_CORRUPT, ZIP_UNSAFE. `zip` is the local file if the input is a zip. */
	open(input: ShardInput, zip: string | null, files: ShardFiles, signal: AbortSignal): Promise<Archive>;
	/** The JSON's bytes. Throws JSON_INVALID when they cannot be read. */
	readJson(json: Member): Promise<Buffer>;
	/** Writes a member's content to a new local file, and returns its SHA-256. Throws SOURCE_CHANGED. */
	extract(ref: MemberRef, file: string): Promise<string>;
}
