import type { FindingCode } from "../../schemas/codes.js";
import type { Settings } from "../../schemas/settings.js";
import type { SourceFormat, StoredFormat } from "../../schemas/stored-format.js";
import type { MemberRef } from "./archive.js";

/** The verdict on images. Adapters under `infra/` implement these. */

export interface ImageTask {
	ref: MemberRef;
	/**
	 * `image`: every check; `hash`: only read it, for CRC-32 and SHA-256; `stored`: decode a lake's object of any format.
	 */
	check: "image" | "hash" | "stored";
	/** The format that the image must have. */
	format: SourceFormat;
	/** Whether to stage the object if the image is good. */
	keep: boolean;
}

export interface ImageFinding {
	code: FindingCode;
	/** In our own words, never a library's. */
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
	/** Hash of the member's content; null when it could not be read. */
	bytes: number | null;
	sha256: string | null;
	/** 8 hex digits. */
	crc32: string | null;
	/** Why the image is rejected, or null. */
	reject: ImageFinding | null;
	/** Warnings about this image, at most one of each code. */
	warnings: ImageFinding[];
	/** Null when rejected, and with `check: "hash"`. With `stored`, its pixel hashes are null. */
	image: StoredImage | null;
}

export interface ImagePool {
	/** Tasks start in call order. Submit a whole shard at once: the pool limits concurrency. */
	run(task: ImageTask, settings: Settings, signal: AbortSignal): Promise<ImageResult>;
	close(): Promise<void>;
}
