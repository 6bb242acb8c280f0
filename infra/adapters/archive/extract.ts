import { createHash } from "node:crypto";
import { closeSync, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { MemberRef } from "../../../pipelines/ports/archive.js";
import { LakeError } from "../../../schemas/errors.js";
import { openFile } from "./file.js";
import { contentOf, openLooseFile } from "./member.js";

/**
 * Writes the content of a member that was read before to a new file, in little memory and without checking its CRC-32;
 * returns its SHA-256. Throws SOURCE_CHANGED where the member is not what it was, SOURCE_UNREADABLE, and the system's
 * error where the file cannot be written.
 */
export async function extractMember(ref: MemberRef, file: string): Promise<string> {
	const source = ref.kind === "file" ? openLooseFile(ref) : openFile(ref.zip);
	const hash = createHash("sha256");
	let bytes = 0;
	async function* content(): AsyncIterable<Buffer> {
		for await (const chunk of contentOf(source, ref)) {
			bytes += chunk.length;
			if (bytes > ref.bytes) return;
			hash.update(chunk);
			yield chunk;
		}
	}
	try {
		await pipeline(content, createWriteStream(file, { flags: "wx" }));
	} finally {
		closeSync(source.fd);
	}
	if (bytes === ref.bytes) return hash.digest("hex");
	throw new LakeError("SOURCE_CHANGED", `${source.path} changed while its members were read.`, { path: source.path });
}
