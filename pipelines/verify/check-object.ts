import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DEFAULT_SETTINGS } from "../../schemas/settings.js";
import type { SourceFormat } from "../../schemas/stored-format.js";
import type { ImagePool, ImageResult } from "../ports/images.js";
import type { Reader } from "../ports/store.js";
import type { Report } from "./report.js";

/** What is larger is no picture that a mirror would read: it is hashed and not decoded. */
const DECODED_BYTES = 64 * 1024 * 1024;

/** What the `images` table says of one object. */
export interface ObjectRow {
	object_key: string;
	sha256: string;
	bytes: number;
	format: string;
	width: number;
	height: number;
	source_sha256: string;
	pixel_sha256: string | null;
	dhash: string | null;
}

/** What an object is checked with. */
export interface ObjectTools {
	store: Reader;
	/** Null: it is only hashed. */
	images: ImagePool | null;
	/** Folder for objects of a store elsewhere, while they are decoded. */
	work: string;
}

/** Size and SHA-256 of one object; with a pool it is decoded too, and original bytes must give the recorded pixels. */
export async function checkObject(
	row: ObjectRow,
	{ store, images, work }: ObjectTools,
	report: Report,
	signal: AbortSignal,
): Promise<void> {
	report.checked.objects++;
	const path = row.object_key;
	const found = await store.stat(path);
	if (!found) return report.damage("OBJECT_MISSING", path, "it is not there");
	if (found.bytes !== row.bytes) {
		return report.damage("OBJECT_SIZE", path, `it has ${found.bytes} bytes, not ${row.bytes}`);
	}
	report.checked.bytes += row.bytes;
	if (images && row.bytes <= DECODED_BYTES) {
		const local = store.localPath(path);
		if (local !== null) return decodeObject(row, local, images, report, signal);
		const copy = join(work, `object-${randomUUID()}`);
		try {
			await pipeline(await store.read(path), createWriteStream(copy), { signal });
			return await decodeObject(row, copy, images, report, signal);
		} finally {
			await rm(copy, { force: true });
		}
	}
	const hash = createHash("sha256");
	for await (const chunk of await store.read(path)) hash.update(chunk as Buffer);
	const sha256 = hash.digest("hex");
	if (sha256 !== row.sha256) report.damage("OBJECT_HASH", path, hashDetail(sha256, row.sha256));
}

async function decodeObject(
	row: ObjectRow,
	file: string,
	images: ImagePool,
	report: Report,
	signal: AbortSignal,
): Promise<void> {
	const original = row.sha256 === row.source_sha256;
	const ref = { kind: "file" as const, path: file, bytes: row.bytes };
	const task = {
		ref,
		check: original ? ("image" as const) : ("stored" as const),
		format: row.format as SourceFormat,
		keep: false,
	};
	const result = await images.run(task, DEFAULT_SETTINGS, signal);
	if (result.sha256 !== row.sha256) {
		return report.damage("OBJECT_HASH", row.object_key, hashDetail(result.sha256, row.sha256));
	}
	report.checked.decoded++;
	comparePixels(row, result, report);
}

function hashDetail(found: string | null, expected: string): string {
	return `its SHA-256 is ${found ?? "unknown"}, not ${expected}`;
}

/** The bytes are right, so a difference means that the table or the decoder is wrong. */
function comparePixels(row: ObjectRow, { image, reject }: ImageResult, report: Report): void {
	const detail = pixelDifference(row, image, reject?.detail ?? "no picture");
	if (detail !== null) report.add("OBJECT_HASH", row.object_key, detail);
}

function pixelDifference(row: ObjectRow, image: ImageResult["image"], reason: string): string | null {
	if (!image) return `it does not decode: ${reason}`;
	if (image.width !== row.width || image.height !== row.height) {
		return `it is ${image.width}×${image.height}, not ${row.width}×${row.height}`;
	}
	if (image.format !== row.format) return `it is ${image.format}, not ${row.format}`;
	if (image.pixel_sha256 === null || row.pixel_sha256 === null) return null;
	if (image.pixel_sha256 !== row.pixel_sha256) return "its pixels have another SHA-256";
	return image.dhash === row.dhash ? null : "its dhash is another";
}
