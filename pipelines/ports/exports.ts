import type { ExportedFile } from "../../schemas/export.js";
import type { StoredFormat } from "../../schemas/stored-format.js";
import type { Scalar } from "../../schemas/tables.js";
import type { StoredFile } from "./store.js";

/** What exports are written with, and to. Adapters under `infra/` implement these. */

/** A column of an exported parquet file; `bytes` is a list of `byte`, `images` one of `image`. */
export interface ExportColumn {
	name: string;
	type: "text" | "byte" | "integer" | "long" | "real" | "double" | "timestamp" | "bytes" | "image" | "images";
}

/** An image in a cell: its bytes, and the file name it would have. */
export interface EmbeddedImage {
	bytes: Buffer;
	path: string;
}

export type ExportCell = Scalar | number[] | EmbeddedImage | EmbeddedImage[];

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
	/** A new local path at which to make one file; after `begin`. */
	temporaryPath(): Promise<string>;
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

/** One good image of a lake: all that the dataset tells of it, by column, and where its bytes are. */
export type ImageRow = Record<string, Scalar> & {
	image_id: string;
	image_path: string;
	/** Path in the lake. */
	object_key: string;
	/** Of the stored bytes. */
	sha256: string;
	bytes: number;
	format: StoredFormat;
	width: number;
	height: number;
};

/** One shard as an export reads it. */
export interface ShardRows {
	shard: string;
	/** In the order of the shard's JSON. */
	rows: ImageRow[];
}

/** What a format needs of the world while it writes. Paths are relative to the export. */
export interface ExportJob {
	/** The shards one by one, in the dataset's order: what was read of one is forgotten with the next. */
	shards(): AsyncIterable<ShardRows>;
	/** Counts of the shards that were read so far. */
	readonly counts: Readonly<Record<string, number>> & { images: number };
	/** An image's bytes, held against its SHA-256. Throws LAKE_DAMAGED. */
	bytesOf(image: ImageRow): Promise<Buffer>;
	/** Makes a file aside, unless an interrupted export left it whole; `make` fills the local path that it is given. */
	file(path: string, make: (local: string) => Promise<void>): Promise<ExportedFile>;
	/** Gives an image a file of its own: a hard link where lake and export share a disk, else a copy. */
	imageFile(path: string, image: ImageRow): Promise<void>;
	/** Told of every image that was dealt with. */
	onImages(count: number): void;
	signal: AbortSignal;
}

/** What a format made. */
export interface Exported {
	/** In the order in which they were made. */
	files: ExportedFile[];
	/** A file that must appear after the record itself: the Hub's card. */
	last: ExportedFile | null;
}
