import { LakeError } from "../../schemas/errors.js";
import { shardFiles } from "../dataset.js";
import { openMembers } from "../mirror/content/members.js";
import type { MetadataTools } from "../mirror/plan/plan-mirror.js";
import type { ArchiveReader, Member } from "../ports/archive.js";
import type { ShardInput } from "../ports/source.js";
import { byCodePoint } from "../text.js";
import { type Changes, type ImageBytes, type ImageChange, note } from "./changes.js";

/** A shard's pictures at the source, without reading one: by an unpacked shard's files, or a zip's directory. */

/**
 * By name relative to the shard's folder; none of a shard that is gone. Of a zip elsewhere the directory is fetched by
 * ranges. A text says why they cannot be told: the zip is no honest one.
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

/** Notes which came, went or have other bytes. @returns how many cannot be told */
export function comparePictures(
	changes: Changes<ImageChange>,
	prefix: string,
	old: Map<string, ImageBytes>,
	now: Map<string, ImageBytes>,
	limit: number,
): number {
	let untold = 0;
	for (const name of [...new Set([...old.keys(), ...now.keys()])].sort(byCodePoint)) {
		const [before, after] = [old.get(name) ?? null, now.get(name) ?? null];
		const same = before && after ? sameBytes(before, after) : false;
		if (same === null) untold += 1;
		if (same !== false) continue;
		const change = !before ? "added" : !after ? "removed" : "changed";
		note(changes[change], { image_path: `${prefix}${name}`, before, after }, limit);
	}
	return untold;
}

/** By SHA-256 where both have one, else by size and CRC-32; null where it cannot be told. */
function sameBytes(a: ImageBytes, b: ImageBytes): boolean | null {
	if (a.source_sha256 !== null && b.source_sha256 !== null) return a.source_sha256 === b.source_sha256;
	if (a.source_bytes !== b.source_bytes) return false;
	return a.crc32 !== null && b.crc32 !== null ? a.crc32 === b.crc32 : null;
}
