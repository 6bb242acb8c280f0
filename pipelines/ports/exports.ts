import type { ExportedFile } from "../../schemas/export.js";
import type { StoredFormat } from "../../schemas/stored-format.js";
import type { Scalar } from "../../schemas/tables.js";
import type { StoredFile } from "./store.js";

/** What exports are written with and where they go. Adapters under `infra/` implement these. */

/** A column of an exported parquet file; `bytes` is a list of `byte`, `images` one of `image`. */
export interface ExportColumn {
	name: string;
	type: "text" | "byte" | "integer" | "long" | "real" | "double" | "timestamp" | "bytes" | "image" | "images";
}

/** An image in a cell: its bytes, and the file name that goes with them. */
export interface EmbeddedImage {
	bytes: Buffer;
	path: string;
}

export type ExportCell = Scalar | number[] | EmbeddedImage | EmbeddedImage[];

/** Writes parquet files with images in them. The same rows give the same bytes. */
export interface ExportFiles {
	/** Writes rows, with cells in the columns' order, as a file of one row group. */
	writePart(
		columns: ExportColumn[],
		rows: Iterable<ExportCell[]> | AsyncIterable<ExportCell[]>,
		file: string,
	): Promise<void>;
	/** Joins such files in this order, each as a row group; `metadata` goes into the schema under `huggingface`. */
	join(parts: string[], file: string, metadata: string | null): Promise<void>;
	close(): Promise<void>;
}

/** Where an export is written. Nothing is visible there before `publish`. Paths are relative to it, with `/`. */
export interface ExportTarget {
	/** The target as a person would write it, for messages. */
	readonly name: string;
	/** Whole content of a small published file, or null when absent. */
	get(path: string): Promise<Buffer | null>;
	/** Every published file, in no order. */
	list(): AsyncIterable<StoredFile>;
	/**
	 * Begins an export, or continues an interrupted one and returns the files it had finished. Unfinished files of an
	 * export with another key are dropped. Throws OUT_NOT_EMPTY when other files are there, OUT_BUSY while another export
	 * runs.
	 */
	begin(key: string): Promise<Map<string, ExportedFile>>;
	/** A new local path to write one file at; to be called after `begin`. */
	temporaryPath(): Promise<string>;
	/** Takes over a local file, durably. */
	put(file: ExportedFile, local: string): Promise<void>;
	/**
	 * Links a local file into the export, or copies it where a hard link is impossible. Does nothing if a file of this
	 * size is there.
	 */
	link(path: string, bytes: number, local: () => Promise<string>): Promise<void>;
	/** Makes everything visible, these files last and in this order; replaces an earlier export. */
	publish(last: string[]): Promise<void>;
	/** Drops leftovers of an export that was killed at its very end. */
	tidy(): Promise<void>;
	/** Releases the target; unfinished files stay for the next run. */
	close(): Promise<void>;
}

/** One good image of a lake: everything the dataset says of it, by column, and where its bytes are. */
export type ImageRow = Record<string, Scalar> & {
	image_id: string;
	image_path: string;
	/** Path in the lake. */
	object_key: string;
	/** Hash of the stored bytes. */
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

/** What a format needs while it writes. Paths are relative to the export. */
export interface ExportJob {
	/** The shards one by one, in the dataset's order; a shard's data is valid until the next one is read. */
	shards(): AsyncIterable<ShardRows>;
	/** Counts of the shards that were read so far. */
	readonly counts: Readonly<Record<string, number>> & { images: number };
	/** An image's bytes, checked against its SHA-256. Throws LAKE_DAMAGED. */
	bytesOf(image: ImageRow): Promise<Buffer>;
	/** Makes a file, unless an interrupted export left it whole; `make` writes it at the local path it is given. */
	file(path: string, make: (local: string) => Promise<void>): Promise<ExportedFile>;
	/** Gives an image a file of its own: a hard link where lake and export share a disk, else a copy. */
	imageFile(path: string, image: ImageRow): Promise<void>;
	/** Called for every image that is done. */
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
