import type { ExportedFile } from "../../schemas/export.js";
import type { StoredFile } from "./store.js";

/** What exports are written with, and to. Adapters under `infra/` implement these. */

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
