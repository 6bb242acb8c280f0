import { createHash, hash } from "node:crypto";
import { closeSync, fstatSync } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { constants, crc32, createInflateRaw, inflateRawSync } from "node:zlib";
import type { Member, MemberRef } from "../../../pipelines/ports/archive.js";
import { LakeError, systemCode } from "../../../schemas/errors.js";
import { CHUNK, chunks, type OpenFile, openFile, readAt } from "./file.js";
import type { ZipRef } from "./zip-directory.js";
import { shown } from "./zip-errors.js";

type FileRef = Extract<MemberRef, { kind: "file" }>;

/** Why a member's content cannot be read, or cannot be trusted. */
interface MemberFailure {
	ok: false;
	code: "MEMBER_UNREADABLE" | "MEMBER_CRC_MISMATCH";
	/** A clause about the member, in our own words: "it is encrypted". */
	detail: string;
	/** Size and sums of the content, where it could be read all the same (MEMBER_CRC_MISMATCH). */
	bytes?: number;
	crc32?: number;
	/** Hex. */
	sha256?: string;
}

type MemberContent = { ok: true; content: Buffer; crc32: number; sha256: string } | MemberFailure;

/** A member too large for memory: its first bytes, and the sums over all of it. */
type LargeContent = { ok: true; head: Buffer; bytes: number; crc32: number; sha256: string } | MemberFailure;

const LARGE = 64 << 20;
/** A larger member gets its own buffer, which is not kept. */
const MAX_KEPT_BYTES = 4 << 20;
const HEAD_BYTES = 4096;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;

/** Whether a member, packed or not, is over `limit` bytes (64 MiB), so that `readLarge` must be used. */
export function isLarge(ref: MemberRef, limit = LARGE): boolean {
	return ref.bytes > limit || (ref.kind === "zip" && ref.compressedBytes > limit);
}

/**
 * Reads members synchronously, so it belongs in an image thread. Keeps the last zip open. Both reads throw
 * SOURCE_UNREADABLE if the system fails, and SOURCE_CHANGED if a loose file is not as listed; a bad entry of a zip is
 * a value.
 */
export class MemberReader {
	#zip: OpenFile | null = null;
	/** Reused for every member: a new buffer each time costs page faults and garbage collection. */
	#buffer = Buffer.alloc(0);

	/** A member's whole content, its CRC-32 and size checked; valid until the next read. Not for a member that `isLarge`. */
	read(ref: MemberRef): MemberContent {
		if (isLarge(ref)) throw new LakeError("INTERNAL", "A member over 64 MiB was to be read whole.");
		if (ref.kind === "file")
			return withLoose(ref, (file) => checked(readLoose(file, ref, this.#bufferOf(ref.bytes)), null));
		const zip = this.#open(ref.zip);
		const start = dataStart(zip, ref);
		if (typeof start === "string") return failure(start);
		const packed = this.#bufferOf(ref.compressedBytes);
		if (readAt(zip, packed, start) < packed.length) return failure(BEYOND);
		const content = ref.method === STORED ? packed : inflate(packed, ref.bytes);
		return typeof content === "string" ? failure(content) : checked(content, ref.crc32);
	}

	/** CRC-32 and SHA-256 of a member of any size, in little memory. */
	async readLarge(ref: MemberRef): Promise<LargeContent> {
		if (ref.kind === "file") {
			const file = openLooseFile(ref);
			try {
				return await digest(chunks(file, 0, ref.bytes), ref.bytes, null, () => changed(ref));
			} finally {
				closeSync(file.fd);
			}
		}
		const zip = this.#open(ref.zip);
		const start = dataStart(zip, ref);
		if (typeof start === "string") return failure(start);
		return digest(zipContent(zip, ref, start), ref.bytes, ref.crc32, (bytes) => failure(wrongSize(bytes, ref.bytes)));
	}

	close(): void {
		if (this.#zip !== null) closeSync(this.#zip.fd);
		this.#zip = null;
	}

	#bufferOf(bytes: number): Buffer {
		if (bytes > MAX_KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes);
		if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#buffer.length));
		return this.#buffer.subarray(0, bytes);
	}

	#open(path: string): OpenFile {
		// A zip that is still being downloaded has grown since.
		if (this.#zip?.path === path) return Object.assign(this.#zip, { size: fstatSync(this.#zip.fd).size });
		this.close();
		this.#zip = openFile(path);
		return this.#zip;
	}
}

/**
 * The bytes of a shard's JSON. Throws JSON_INVALID when it is over 64 MiB, cannot be unpacked or has a wrong CRC-32,
 * and as `MemberReader` does.
 */
export function readJsonMember(member: Member): Buffer {
	const invalid = (why: string) =>
		new LakeError("JSON_INVALID", `${shown(member.name)} cannot be used: ${why}.`, { path: member.name });
	if (isLarge(member.ref)) throw invalid("it is over 64 MiB");
	const reader = new MemberReader();
	try {
		const result = reader.read(member.ref);
		if (!result.ok) throw invalid(result.detail);
		return result.content;
	} finally {
		reader.close();
	}
}

const BEYOND = "it lies beyond the zip's end";

function failure(detail: string): MemberFailure {
	return { ok: false, code: "MEMBER_UNREADABLE", detail };
}

function wrongSize(bytes: number, declared: number): string {
	return bytes > declared
		? `it unpacks to more than ${declared} bytes`
		: `it unpacks to ${bytes} bytes, not ${declared}`;
}

/** Offset of a member's packed bytes in the zip, or why it cannot be read. The central directory takes precedence. */
function dataStart(zip: OpenFile, ref: ZipRef): number | string {
	if (ref.encrypted) return "it is encrypted";
	if (ref.method !== STORED && ref.method !== DEFLATED) return `it is packed by method ${ref.method}`;
	if (ref.method === STORED && ref.compressedBytes !== ref.bytes) {
		return `it is stored in ${ref.compressedBytes} bytes, not ${ref.bytes}`;
	}
	if (ref.headerOffset + LOCAL_BYTES > zip.size) return "its local header is unreadable";
	const header = Buffer.allocUnsafe(LOCAL_BYTES);
	if (readAt(zip, header, ref.headerOffset) < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL) {
		return "its local header is unreadable";
	}
	const start = ref.headerOffset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
	return start + ref.compressedBytes > zip.size ? BEYOND : start;
}

/** Unpacks at most `declared` bytes, or says what is wrong. Bytes after a complete deflate stream are accepted. */
function inflate(packed: Buffer, declared: number): Buffer | string {
	try {
		// One byte more than declared, so that a stream of the right size needs no second chunk.
		const chunkSize = Math.max(constants.Z_MIN_CHUNK, declared + 1);
		const content = inflateRawSync(packed, { maxOutputLength: Math.max(1, declared), chunkSize });
		return content.length === declared ? content : wrongSize(content.length, declared);
	} catch (error) {
		return systemCode(error) === "ERR_BUFFER_TOO_LARGE" ? wrongSize(declared + 1, declared) : "it does not inflate";
	}
}

function hex8(value: number): string {
	return value.toString(16).padStart(8, "0");
}

function crcDetail(found: number, expected: number): string {
	return `its CRC-32 is ${hex8(found)}, not ${hex8(expected)}`;
}

function checked(content: Buffer, expected: number | null): MemberContent {
	const found = crc32(content);
	const sha256 = hash("sha256", content, "hex");
	if (expected === null || found === expected) return { ok: true, content, crc32: found, sha256 };
	const detail = crcDetail(found, expected);
	return { ok: false, code: "MEMBER_CRC_MISMATCH", detail, bytes: content.length, crc32: found, sha256 };
}

/** Computes both sums; `wrong` makes the failure for a size other than `declared`. */
async function digest(
	content: Iterable<Buffer> | AsyncIterable<Buffer>,
	declared: number,
	expected: number | null,
	wrong: (bytes: number) => MemberFailure,
): Promise<LargeContent> {
	const sha = createHash("sha256");
	const head: Buffer[] = [];
	let bytes = 0;
	let crc = 0;
	try {
		for await (const chunk of content) {
			if (bytes < HEAD_BYTES) head.push(Buffer.from(chunk.subarray(0, HEAD_BYTES - bytes)));
			bytes += chunk.length;
			if (bytes > declared) return wrong(bytes);
			crc = crc32(chunk, crc);
			sha.update(chunk);
		}
	} catch (error) {
		if (error instanceof LakeError) throw error;
		return failure("it does not inflate");
	}
	if (bytes !== declared) return wrong(bytes);
	const sha256 = sha.digest("hex");
	if (expected === null || crc === expected) return { ok: true, head: Buffer.concat(head), bytes, crc32: crc, sha256 };
	return { ok: false, code: "MEMBER_CRC_MISMATCH", detail: crcDetail(crc, expected), bytes, crc32: crc, sha256 };
}

/** A member's content in chunks, from the open file that holds it; empty where it cannot be found there. */
export function contentOf(file: OpenFile, ref: MemberRef): Iterable<Buffer> | AsyncIterable<Buffer> {
	if (ref.kind === "file") return chunks(file, 0, ref.bytes);
	const start = dataStart(file, ref);
	return typeof start === "string" ? [] : zipContent(file, ref, start);
}

function zipContent(zip: OpenFile, ref: ZipRef, start: number): Iterable<Buffer> | AsyncIterable<Buffer> {
	const packed = chunks(zip, start, ref.compressedBytes);
	return ref.method === STORED ? packed : inflated(packed);
}

async function* inflated(packed: Iterable<Buffer>): AsyncGenerator<Buffer> {
	const source = Readable.from(packed, { highWaterMark: 1 });
	const inflater = createInflateRaw({ chunkSize: CHUNK });
	source.on("error", (error) => inflater.destroy(error));
	source.pipe(inflater);
	try {
		yield* inflater;
	} finally {
		source.destroy();
		inflater.destroy();
	}
}

function changed(ref: FileRef): never {
	throw new LakeError("SOURCE_CHANGED", `${basename(ref.path)} changed after it was listed.`, { path: ref.path });
}

/** Throws SOURCE_CHANGED, SOURCE_UNREADABLE; the caller closes `fd`. */
export function openLooseFile(ref: FileRef): OpenFile {
	const file = (() => {
		try {
			return openFile(ref.path);
		} catch (error) {
			if (error instanceof LakeError && systemCode(error.cause) === "ENOENT") return changed(ref);
			throw error;
		}
	})();
	if (file.size === ref.bytes) return file;
	closeSync(file.fd);
	return changed(ref);
}

function withLoose<T>(ref: FileRef, use: (file: OpenFile) => T): T {
	const file = openLooseFile(ref);
	try {
		return use(file);
	} finally {
		closeSync(file.fd);
	}
}

function readLoose(file: OpenFile, ref: FileRef, content: Buffer): Buffer {
	if (readAt(file, content, 0) < content.length) changed(ref);
	return content;
}
