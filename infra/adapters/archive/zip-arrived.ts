import { closeSync } from "node:fs";
import type { MemberRef } from "../../../pipelines/ports/archive.js";
import { EXTENSION, type SourceFormat } from "../../../schemas/stored-format.js";
import { openFile, readAt } from "./file.js";

const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/**
 * Flags of a header that does not tell what its data is: encrypted, sizes behind the data, masked (APPNOTE.TXT 4.4.4).
 */
const UNTOLD = 0x01 | 0x08 | 0x2000;
/** The size is in a zip64 field. */
const ELSEWHERE = 0xffffffff;

/**
 * The images of a zip that is still being written, by their local headers: those from `from` on that end at `to`
 * or before. `next` is where the first of the others begins; null where the headers cannot be followed any further.
 * A guess, not a judgement: the central directory rules, once it is there. Throws SOURCE_UNREADABLE.
 */
export function arrivedImages(
	zip: string,
	{ from, to }: { from: number; to: number },
	format: SourceFormat,
): { refs: MemberRef[]; next: number | null } {
	const ending = `.${EXTENSION[format]}`;
	const file = openFile(zip);
	try {
		const refs: MemberRef[] = [];
		const header = Buffer.allocUnsafe(LOCAL_BYTES);
		let at = from;
		while (at + LOCAL_BYTES <= to) {
			if (readAt(file, header, at) < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL) return { refs, next: null };
			const [compressedBytes, bytes] = [header.readUInt32LE(18), header.readUInt32LE(22)];
			const nameBytes = header.readUInt16LE(26);
			const told = (header.readUInt16LE(6) & UNTOLD) === 0 && compressedBytes !== ELSEWHERE && bytes !== ELSEWHERE;
			if (!told) return { refs, next: null };
			const end = at + LOCAL_BYTES + nameBytes + header.readUInt16LE(28) + compressedBytes;
			if (end > to) break;
			const name = Buffer.allocUnsafe(nameBytes);
			readAt(file, name, at + LOCAL_BYTES);
			if (name.toString("latin1").endsWith(ending)) {
				const [method, crc32] = [header.readUInt16LE(8), header.readUInt32LE(14)];
				refs.push({ kind: "zip", zip, headerOffset: at, compressedBytes, bytes, crc32, method, encrypted: false });
			}
			at = end;
		}
		return { refs, next: at };
	} finally {
		closeSync(file.fd);
	}
}
