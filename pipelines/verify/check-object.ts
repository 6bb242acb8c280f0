import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { DEFAULT_SETTINGS } from "../../schemas/settings.js";
import type { SourceFormat } from "../../schemas/stored-format.js";
import type { ImagePool, ImageResult, ImageTask } from "../ports/images.js";
import type { Reader } from "../ports/store.js";
import type { Report } from "./report.js";

/** A larger object is only hashed: a mirror would not decode it, either. */
const MAX_DECODED_BYTES = 64 * 1024 * 1024;

/** An object's columns of the `images` table. */
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

interface ObjectTools {
	store: Reader;
	/** Null: objects are only hashed. */
	images: ImagePool | null;
	/** Folder for objects of a remote store while they are decoded. */
	work: string;
}

/** Checks an object's size and SHA-256. With a pool it is also decoded, and originals must give the recorded pixels. */
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
	if (images && row.bytes <= MAX_DECODED_BYTES) {
		const local = store.localPath(path);
		const decode = async (file: string): Promise<void> => {
			compareImage(row, await images.run(taskFor(row, file), DEFAULT_SETTINGS, signal), report);
		};
		if (local !== null) return decode(local);
		const copy = join(work, `object-${randomUUID()}`);
		try {
			await pipeline(await store.read(path), createWriteStream(copy), { signal });
			return await decode(copy);
		} finally {
			await rm(copy, { force: true });
		}
	}
	const hash = createHash("sha256");
	for await (const chunk of await store.read(path)) hash.update(chunk as Buffer);
	const sha256 = hash.digest("hex");
	if (sha256 !== row.sha256) report.damage("OBJECT_HASH", path, hashDetail(sha256, row.sha256));
}

function taskFor(row: ObjectRow, file: string): ImageTask {
	const isOriginal = row.sha256 === row.source_sha256;
	const ref = { kind: "file" as const, path: file, bytes: row.bytes };
	return { ref, check: isOriginal ? "image" : "stored", format: row.format as SourceFormat, keep: false };
}

function compareImage(row: ObjectRow, result: ImageResult, report: Report): void {
	if (result.sha256 !== row.sha256) {
		report.damage("OBJECT_HASH", row.object_key, hashDetail(result.sha256, row.sha256));
		return;
	}
	report.checked.decoded++;
	comparePixels(row, result, report);
}

function hashDetail(found: string | null, expected: string): string {
	return `its SHA-256 is ${found ?? "unknown"}, not ${expected}`;
}

/** The bytes are right, so any difference is a fault of the table or the decoder. */
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
