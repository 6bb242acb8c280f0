import { LakeError } from "../../schemas/errors.js";
import { openMembers } from "../mirror/content/members.js";
import type { MetadataTools } from "../mirror/plan/read-metadata.js";
import type { ArchiveReader, Member } from "../ports/archive.js";
import type { ShardInput } from "../ports/source.js";
import { shardFiles } from "../shards.js";
import { byCodePoint } from "../text.js";
import type { Change } from "./changes.js";

/** A shard's images at the source, without reading any: by an unpacked shard's files, or by a zip's directory. */

/** An image's bytes, as far as they are known without reading it. An image of the source has no object. */
export interface ImageBytes {
	object_key: string | null;
	/** Of the original. */
	source_sha256: string | null;
	source_bytes: number | null;
	crc32: string | null;
}

/** An image that was added or removed, or whose bytes changed. */
export interface ImageChange {
	image_path: string;
	before: ImageBytes | null;
	after: ImageBytes | null;
}

/**
 * The images by name relative to the shard's folder; none for a missing shard. Of a remote zip, only the directory is
 * fetched. A text says why they cannot be known: the zip is corrupt or unsafe.
 */
export async function sourcePictures(
	input: ShardInput | null,
	shard: string,
	tools: MetadataTools & { archives: ArchiveReader },
	signal: AbortSignal,
): Promise<Map<string, ImageBytes> | string> {
	if (input === null) return new Map();
	if (input.form === "unpacked") {
		return new Map(
			input.files.map(({ name, sha256, bytes }) => {
				return [name, { object_key: null, source_sha256: sha256, source_bytes: bytes, crc32: null }];
			}),
		);
	}
	try {
		const { onRetry = () => {} } = tools;
		const members = await openMembers(input, shardFiles(tools.dataset, shard), { ...tools, onRetry }, signal);
		await members.release();
		return new Map(members.all.map((member) => [member.name, zipBytes(member)]));
	} catch (error) {
		if (!(error instanceof LakeError) || !["ZIP_CORRUPT", "ZIP_UNSAFE"].includes(error.code)) throw error;
		return `${error.code}: ${error.message}`;
	}
}

function zipBytes({ ref }: Member): ImageBytes {
	const crc32 = ref.kind === "zip" ? ref.crc32.toString(16).padStart(8, "0") : null;
	return { object_key: null, source_sha256: null, source_bytes: ref.bytes, crc32 };
}

/** Reports which images were added, removed or changed. @returns how many cannot be compared */
export function comparePictures(
	old: Map<string, ImageBytes>,
	now: Map<string, ImageBytes>,
	onChange: (change: Change, name: string) => void,
): number {
	let unknown = 0;
	for (const name of [...new Set([...old.keys(), ...now.keys()])].sort(byCodePoint)) {
		const [before, after] = [old.get(name) ?? null, now.get(name) ?? null];
		const same = before && after ? sameBytes(before, after) : false;
		if (same === null) unknown += 1;
		if (same !== false) continue;
		onChange(!before ? "added" : !after ? "removed" : "changed", name);
	}
	return unknown;
}

/** By SHA-256 if both have one, else by size and CRC-32; null if that is not enough. */
function sameBytes(a: ImageBytes, b: ImageBytes): boolean | null {
	if (a.source_sha256 !== null && b.source_sha256 !== null) return a.source_sha256 === b.source_sha256;
	if (a.source_bytes !== b.source_bytes) return false;
	return a.crc32 !== null && b.crc32 !== null ? a.crc32 === b.crc32 : null;
}
