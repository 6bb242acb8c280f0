/** The few small interfaces that the stages need from the outside world. Adapters under `infra/` implement them. */

import type { Readable } from "node:stream";
import type { FindingCode } from "../schemas/codes.js";
import type { ExportedFile } from "../schemas/export.js";
import type { Split } from "../schemas/records.js";
import type { MetadataRow } from "../schemas/row.js";
import type { Settings } from "../schemas/settings.js";
import type { StoredFormat } from "../schemas/stored-format.js";
import type { TableName, TableRow } from "../schemas/tables.js";

// ── Source ──────────────────────────────────────────────────────────────────────────────────────

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
	metadata: Map<Split, SourceFile>;
	/** Zips below `images/` that are no known shard. */
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
	list(wanted: { shards: string[]; splits: Split[] }, signal: AbortSignal): Promise<Listing>;
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

// ── Store: where the lake is ────────────────────────────────────────────────────────────────────

export interface StoredFile {
	path: string;
	bytes: number;
}

/** A file of a lake, with when it was last written: milliseconds by the storage's own clock. */
export interface LakeFile extends StoredFile {
	modified: number;
}

/** A lake's storage. Paths are relative to the lake, with `/`. Everything stored is whole or absent. */
export interface Store {
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
	/** Writes durably unless the path exists; false when it does. Exactly one of two racing calls gets true. */
	putIfAbsent(path: string, content: Buffer): Promise<boolean>;
	/** Replaces a record: durable, whole at any moment. `seen` is what the caller read (null: absent); false when the store noticed that it changed. */
	replace(path: string, content: Buffer, seen: Buffer | null): Promise<boolean>;
	/** Moves a local file in under a name that is its content's; durable; does nothing when it is there already. */
	putFile(path: string, localFile: string): Promise<void>;
	/** Puts a local file over whatever is there, durable, whole at any moment: for what was found damaged, and nothing else. */
	overwrite(path: string, localFile: string): Promise<void>;
	/** Makes staged objects visible and durable, all of them, before it returns. */
	publishObjects(staged: string[]): Promise<void>;
	/** Drops what was staged and never published. */
	dropStaged(): Promise<void>;
	/** Removes files, durably, in no order; one that is absent is no error. Throws when one could not be removed, having tried them all. */
	delete(paths: string[]): Promise<void>;
}

/** Where an image thread puts the bytes of an object, before the shard is known to be good. */
export interface ObjectStage {
	/** `key` is the object's path in the lake; resolves when the bytes are durable. `content` may be overwritten once the call has returned, before that. */
	stage(key: string, content: Buffer): Promise<void>;
}

/** Room in a lake's storage where writes can be tried out; for `doctor`. */
export interface TryRoom {
	/** Absolute path, where it is a folder. */
	folder: string | null;
	/** A store that begins in the room; each is a writer of its own. */
	open(): Promise<Store>;
	/** What the storage's own clock says; null where it tells no time. */
	now(): Promise<Date | null>;
	/** Removes the room and all that is in it. */
	remove(): Promise<void>;
}

// ── Archive ─────────────────────────────────────────────────────────────────────────────────────

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

/** A shard, opened and found safe. */
export interface Archive {
	/** `<split>_<n>.json`, or null when there is none. */
	json: Member | null;
	/** Every other member; folders left out; in the order of the directory. */
	members: Member[];
}

export interface ArchiveReader {
	/**
	 * Images of a zip that is still being written, by what its members say of themselves: those from offset `from` on that
	 * end at `to` or before; `next` is where the first of the others begins, null where that cannot be told.
	 */
	arrived(zip: string, from: number, to: number): { refs: MemberRef[]; next: number | null };
	/**
	 * Where a zip's own records begin: from there to the zip's end lies all that `open` reads, but for the members' local
	 * headers. `bytes` is the zip's size, `read` gives its bytes from a position on. Throws ZIP_CORRUPT, ZIP_UNSAFE, and what
	 * `read` throws.
	 */
	recordsStart(
		shard: string,
		bytes: number,
		read: (position: number, length: number) => Promise<Buffer>,
	): Promise<number>;
	/** Reads the directory. Throws ZIP_CORRUPT, ZIP_UNSAFE. `zip` is the local file of a zip's input. */
	open(input: ShardInput, zip: string | null, shard: string, signal: AbortSignal): Promise<Archive>;
	/** The JSON's bytes. Throws JSON_INVALID when they cannot be had. */
	readJson(json: Member): Promise<Buffer>;
	/** Writes the content of a member that was read before to a new local file; returns its SHA-256. Throws SOURCE_CHANGED. */
	extract(ref: MemberRef, file: string): Promise<string>;
}

// ── Images ──────────────────────────────────────────────────────────────────────────────────────

export interface ImageTask {
	ref: MemberRef;
	/** `image`: every check; `hash`: only read, CRC-32 and SHA-256; `stored`: of a lake's object, in whatever format, decoded. */
	check: "image" | "hash" | "stored";
	/** Whether the object may be wanted: then it is staged when the image is good. */
	keep: boolean;
}

export interface ImageFinding {
	code: FindingCode;
	/** Own words, never a library's. */
	detail: string;
}

export interface StoredImage {
	object_key: string;
	sha256: string;
	bytes: number;
	format: StoredFormat;
	width: number;
	height: number;
	source_width: number;
	source_height: number;
	/** Null with `--verify structure`. */
	pixel_sha256: string | null;
	dhash: string | null;
}

/** The verdict on one member. A bad image is a value. */
export interface ImageResult {
	/** Of the member's content; null where it could not be read. */
	bytes: number | null;
	sha256: string | null;
	/** 8 hex digits. */
	crc32: string | null;
	/** Why the image is rejected, or null. */
	reject: ImageFinding | null;
	/** Warnings about this image, at most one a code. */
	warnings: ImageFinding[];
	/** Null when rejected, and with `check: "hash"`. With `stored`, its hashes of pixels are null. */
	image: StoredImage | null;
}

export interface ImagePool {
	/** Tasks are done in the order of their calls, as many at once as is worth it: all of a shard may be given at once. */
	run(task: ImageTask, settings: Settings, signal: AbortSignal): Promise<ImageResult>;
	close(): Promise<void>;
}

// ── Table files ─────────────────────────────────────────────────────────────────────────────────

export interface MetadataColumn {
	name: string;
	/** As the parquet reader names it. */
	type: string;
}

/** A row as a parquet file has it: integers as numbers where they are safe, else as text; lists as text. */
export type PlainRow = Record<string, string | number | null>;

/** One row as it stands in two files of a table; null where that file lacks it. */
export interface RowDifference {
	before: PlainRow | null;
	after: PlainRow | null;
}

export interface TableFiles {
	/** Columns of a parquet file. Throws METADATA_MISSING when it cannot be read. */
	columns(file: string): Promise<MetadataColumn[]>;
	/** Metadata rows whose `image_path` starts with `prefix` (all with ""), in batches, in no order. */
	metadataRows(file: string, prefix: string): AsyncIterable<MetadataRow[]>;
	/** Rows of a parquet file, these columns only, in the file's order, in batches. */
	read(file: string, columns: string[]): AsyncIterable<PlainRow[]>;
	/**
	 * Rows in which two files of one table differ, all columns, matched and ordered by `key`, in batches; null is a file
	 * without rows. Throws LAKE_DAMAGED when one cannot be read, NO_SPACE.
	 */
	differences(
		table: TableName,
		key: readonly string[],
		before: string | null,
		after: string | null,
	): AsyncIterable<RowDifference[]>;
	/** Writes rows in their order; same rows, same bytes. */
	write(table: TableName, rows: Iterable<TableRow>, file: string): Promise<void>;
	close(): Promise<void>;
}

/** A metadata row, and the shard that its image lies in. */
export interface PlacedRow {
	row: MetadataRow;
	split: Split;
	/** The shard's number in its split. */
	shard: number;
}

/** A yes-or-no expression over metadata rows, read and found harmless. */
export interface Predicate {
	/** Whether it is true of each row; where it is false or NULL, it is not. Throws USAGE where it fails on a row. */
	selects(rows: PlacedRow[]): Promise<boolean[]>;
	close(): Promise<void>;
}

// ── Exports ─────────────────────────────────────────────────────────────────────────────────────

/** A column of an exported parquet file; `bytes` is a list of `byte`, `images` one of `image`. */
export interface ExportColumn {
	name: string;
	type: "text" | "byte" | "long" | "bytes" | "image" | "images";
}

/** An image in a cell: its bytes, and the file name it would have. */
export interface EmbeddedImage {
	bytes: Buffer;
	path: string;
}

export type ExportCell = string | number | number[] | EmbeddedImage | EmbeddedImage[];

/** Writes parquet files with images in them; same rows, same bytes. */
export interface ExportFiles {
	/** Writes rows, their cells in the columns' order, as a file of one row group. */
	writePart(
		columns: ExportColumn[],
		rows: Iterable<ExportCell[]> | AsyncIterable<ExportCell[]>,
		file: string,
	): Promise<void>;
	/** Joins such files, in this order, each a row group of its own; `metadata` goes into the schema under `huggingface`. */
	join(parts: string[], file: string, metadata: string | null): Promise<void>;
	close(): Promise<void>;
}

/** Where an export is written to. Nothing is seen there before `publish`. Paths are relative to it, with `/`. */
export interface ExportTarget {
	/** How a person would write it; for messages. */
	readonly name: string;
	/** Whole content of a small published file, or null when absent. */
	get(path: string): Promise<Buffer | null>;
	/** Every published file, in no order. */
	list(): AsyncIterable<StoredFile>;
	/**
	 * Begins an export, or goes on with one that was interrupted; returns what that one had finished. What an export of
	 * another key left unfinished is dropped. Throws OUT_NOT_EMPTY where other files are, OUT_BUSY beside a running export.
	 */
	begin(key: string): Promise<Map<string, ExportedFile>>;
	/** An absent local path, for one file to be made in; after `begin`. */
	aside(): Promise<string>;
	/** Takes over a local file, durably. */
	put(file: ExportedFile, local: string): Promise<void>;
	/** Gives a file of this machine one more name here, a hard link if it can be; without asking for it where one of this size is. */
	link(path: string, bytes: number, local: () => Promise<string>): Promise<void>;
	/** Shows everything, these files last and in this order; replaces an earlier export. */
	publish(last: string[]): Promise<void>;
	/** Drops what an export that was killed at its very end left behind. */
	tidy(): Promise<void>;
	/** Lets go of the target; what is unfinished stays for the next run. */
	close(): Promise<void>;
}

// ── What a run tells, and the time ──────────────────────────────────────────────────────────────

/** Progress of a run, as it happens; a terminal draws it, a log writes it. */
export interface Progress {
	/** Told again where a shard begins anew: what was told of it is void, but for what was fetched. */
	shardStarted(shard: string, bytes: number): void;
	/** Bytes of the shard that are here and hashed, wherever they came from. */
	received(shard: string, bytes: number): void;
	/** Bytes that were fetched over the network, told once a download ends. */
	fetched(bytes: number): void;
	/** How many images the shard has. */
	imagesFound(shard: string, images: number): void;
	imageDone(shard: string): void;
	shardDone(shard: string, state: "done" | "failed" | "skipped"): void;
	note(level: "info" | "warn", message: string, fields?: Record<string, unknown>): void;
}

export interface Clock {
	/** Seconds, monotonic. */
	now(): number;
	sleep(seconds: number, signal: AbortSignal): Promise<void>;
}
