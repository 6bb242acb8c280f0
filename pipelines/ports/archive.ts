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

/** What a shard's own files are called, by themselves. */
export interface ShardFiles {
	/** Messages name it so, wherever it lies. */
	zip: string;
	/** The one folder inside the zip that may hold all the others. */
	folder: string;
	json: string;
	/** Of the images. */
	format: SourceFormat;
}

/** A shard, opened and found safe. */
export interface Archive {
	/** The JSON of its rows, or null when there is none. */
	json: Member | null;
	/** Every other member; folders left out; in the order of the directory. */
	members: Member[];
}

export interface ArchiveReader {
	/**
	 * Images of a zip that is still being written, by what its members say of themselves: those from offset `from` on that
	 * end at `to` or before; `next` is where the first of the others begins, null where that cannot be told.
	 */
	arrived(
		zip: string,
		range: { from: number; to: number },
		format: SourceFormat,
	): { refs: MemberRef[]; next: number | null };
	/**
	 * Where a zip's own records begin: from there to the zip's end lies all that `open` reads, but for the members' local
	 * headers. `bytes` is the zip's size, `read` gives its bytes from a position on. Throws ZIP_CORRUPT, ZIP_UNSAFE, and what
	 * `read` throws.
	 */
	recordsStart(
		zipName: string,
		bytes: number,
		read: (position: number, length: number) => Promise<Buffer>,
	): Promise<number>;
	/** Reads the directory. Throws ZIP_CORRUPT, ZIP_UNSAFE. `zip` is the local file of a zip's input. */
	open(input: ShardInput, zip: string | null, files: ShardFiles, signal: AbortSignal): Promise<Archive>;
	/** The JSON's bytes. Throws JSON_INVALID when they cannot be had. */
	readJson(json: Member): Promise<Buffer>;
	/** Writes the content of a member that was read before to a new local file; returns its SHA-256. Throws SOURCE_CHANGED. */
	extract(ref: MemberRef, file: string): Promise<string>;
}
