import type { FindingCode } from "../../schemas/codes.js";
import type { Settings } from "../../schemas/settings.js";
import type { SourceFormat, StoredFormat } from "../../schemas/stored-format.js";
import type { MemberRef } from "./archive.js";

/** The verdict on images. Adapters under `infra/` implement these. */

export interface ImageTask {
	ref: MemberRef;
	/** `image`: every check; `hash`: only read, CRC-32 and SHA-256; `stored`: of a lake's object, in whatever format, decoded. */
	check: "image" | "hash" | "stored";
	/** What the image must be. */
	format: SourceFormat;
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
