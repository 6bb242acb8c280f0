import type { ExportedFile, ExportRecord } from "../../schemas/export.js";
import type { SourceRow } from "../../schemas/row.js";
import type { StoredFormat } from "../../schemas/stored-format.js";

/** One good image of a shard: its row, and where its bytes are. */
export interface ImageRow extends SourceRow {
	image_id: string;
	/** Path in the lake. */
	object_key: string;
	/** Of the stored bytes. */
	sha256: string;
	bytes: number;
	format: StoredFormat;
	width: number;
	height: number;
}

/** One prompt of a shard with its good images, in the order of the shard's JSON. */
export interface Prompt {
	prompt_id: string;
	/** As its first good image has it, like `classification`. */
	prompt: string;
	classification: string;
	images: ImageRow[];
}

/** One shard as an export reads it. */
export interface ShardRows {
	shard: string;
	/** In the order of the shard's JSON. */
	rows: ImageRow[];
	/** By first appearance. */
	prompts: Prompt[];
}

/** What a format needs of the world while it writes. Paths are relative to the export. */
export interface ExportJob {
	/** The shards one by one, in the dataset's order: what was read of one is forgotten with the next. */
	shards(): AsyncIterable<ShardRows>;
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
	counts: ExportRecord["counts"];
	/** In the order in which they were made. */
	files: ExportedFile[];
	/** A file that must appear after the record itself: the Hub's card. */
	last: ExportedFile | null;
}

/** `<uuid>.webp`, with the extension of what is stored. */
export function fileNameOf(image: ImageRow): string {
	return `${image.image_id}${image.object_key.slice(image.object_key.lastIndexOf("."))}`;
}
