import type { ExportedFile, ExportRecord } from "../../schemas/export.js";
import type { SourceRow } from "../../schemas/row.js";
import type { StoredFormat } from "../../schemas/stored-format.js";

/** One good image of a shard: its row, and where its bytes are. */
export interface ImageRow extends SourceRow {
	image_id: string;
	/** Path in the lake. */
	object_key: string;
	/** SHA-256 of the stored bytes. */
	sha256: string;
	bytes: number;
	format: StoredFormat;
	width: number;
	height: number;
}

/** One prompt of a shard with its good images, in the order of the shard's JSON. */
export interface Prompt {
	prompt_id: string;
	/** Taken from its first good image, like `classification`. */
	prompt: string;
	classification: string;
	images: ImageRow[];
}

/** A shard's good images. */
export interface ShardRows {
	shard: string;
	/** In the order of the shard's JSON. */
	rows: ImageRow[];
	/** In order of first appearance. */
	prompts: Prompt[];
}

/** What a format uses to write an export. Paths are relative to the export. */
export interface ExportJob {
	/** The shards one by one, in the dataset's order, so that one is in memory at a time. */
	shards(): AsyncIterable<ShardRows>;
	/** An image's bytes, checked against its SHA-256. Throws LAKE_DAMAGED. */
	bytesOf(image: ImageRow): Promise<Buffer>;
	/** Makes a file, unless an interrupted export has finished it; `make` writes to the local path that it is given. */
	file(path: string, make: (local: string) => Promise<void>): Promise<ExportedFile>;
	/** Makes an image's file: a hard link if lake and export share a disk, else a copy. */
	imageFile(path: string, image: ImageRow): Promise<void>;
	/** Called with the number of images just exported. */
	onImages(count: number): void;
	signal: AbortSignal;
}

/** What a format made. */
export interface Exported {
	counts: ExportRecord["counts"];
	/** In the order of their making. */
	files: ExportedFile[];
	/** A file that must appear after the record itself: the Hub's card. */
	last: ExportedFile | null;
}

/** `<uuid>.<ext>`, with the extension of the stored format. */
export function fileNameOf(image: ImageRow): string {
	return `${image.image_id}${image.object_key.slice(image.object_key.lastIndexOf("."))}`;
}
