import { type Entry, fromRandomAccessReaderPromise, getFileNameLowLevel, RandomAccessReader } from "yauzl";
import type { MemberRef } from "../../../pipelines/ports/archive.js";
import { LakeError } from "../../../schemas/errors.js";
import type { ByteSource } from "./bytes.js";
import { type EndRecord, shiftOf } from "./zip-end.js";
import { zipError } from "./zip-errors.js";

export type ZipRef = Extract<MemberRef, { kind: "zip" }>;

/** One entry of the central directory. Its name is decoded, but not checked yet. */
export interface ZipEntry {
	name: string;
	/** The Unix mode; 0 where there is none. */
	mode: number;
	ref: ZipRef;
}

const HEADER_BYTES = 46;
const WINDOW_BYTES = 1 << 18;
const ENCRYPTED = 0x01;
const STRONGLY_ENCRYPTED = 0x40;

/**
 * Serves yauzl's two small reads for each entry from a window of bytes, and tracks where the directory ends, which
 * yauzl does not tell. yauzl gives up the whole directory at a strongly encrypted entry; here such an entry is shown
 * to it as an ordinarily encrypted one, so that only that entry is lost.
 */
class DirectoryReader extends RandomAccessReader {
	/** Offset of the next entry; after the last one, the end of the directory. */
	next: number;
	readonly #source: ByteSource;
	#window: Buffer = Buffer.alloc(0);
	#windowStart = 0;

	constructor(source: ByteSource, directoryOffset: number) {
		super();
		this.#source = source;
		this.next = directoryOffset;
	}

	// biome-ignore lint/complexity/useMaxParams: yauzl calls it like this.
	override read(
		target: Buffer,
		offset: number,
		length: number,
		position: number,
		callback: (error: Error | null, bytesRead?: number) => void,
	): void {
		const deliver = (): void => {
			const from = position - this.#windowStart;
			const copied = this.#window.copy(target, offset, from, from + length);
			if (position === this.next && length === HEADER_BYTES && copied === length) this.#passHeader(target, offset);
			callback(null, copied);
		};
		const from = position - this.#windowStart;
		if (from >= 0 && from + length <= this.#window.length) deliver();
		else this.#fill(position, length).then(deliver, (error: Error) => callback(error));
	}

	async #fill(position: number, length: number): Promise<void> {
		this.#window = await this.#source.read(position, Math.max(length, WINDOW_BYTES));
		this.#windowStart = position;
	}

	#passHeader(header: Buffer, offset: number): void {
		const sizes = [28, 30, 32].map((field) => header.readUInt16LE(offset + field));
		this.next += sizes.reduce((sum, size) => sum + size, HEADER_BYTES);
		const flags = header.readUInt16LE(offset + 8);
		if ((flags & STRONGLY_ENCRYPTED) === 0) return;
		header.writeUInt16LE((flags & ~STRONGLY_ENCRYPTED) | ENCRYPTED, offset + 8);
	}
}

function toEntry(entry: Entry, zipPath: string): ZipEntry {
	return {
		name: getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true),
		mode: entry.externalFileAttributes >>> 16,
		ref: {
			kind: "zip",
			zip: zipPath,
			headerOffset: entry.relativeOffsetOfLocalHeader,
			compressedBytes: entry.compressedSize,
			bytes: entry.uncompressedSize,
			crc32: entry.crc32,
			method: entry.compressionMethod,
			encrypted: entry.isEncrypted(),
		},
	};
}

/**
 * Passes each entry that the end record counts to `onEntry`, and returns where the directory ends. Checks of names and
 * sizes are left to us (`decodeStrings`, `validateEntrySizes`): yauzl would give up the whole directory at the first
 * bad one. Throws ZIP_CORRUPT; ZIP_UNSAFE if bytes stand before the zip.
 */
export async function readDirectory(
	source: ByteSource,
	{ path, name, end }: { path: string; name: string; end: EndRecord },
	onEntry: (entry: ZipEntry) => void,
	signal: AbortSignal,
): Promise<number> {
	const reader = new DirectoryReader(source, end.directoryOffset);
	const options = { decodeStrings: false, validateEntrySizes: false, strictFileNames: true };
	const broken = async (error: unknown): Promise<never> => {
		if (error instanceof LakeError) throw error;
		const shift = await shiftOf(source, end);
		if (shift > 0) throw zipError("ZIP_UNSAFE", name, `${shift} bytes stand before the zip itself`);
		throw zipError("ZIP_CORRUPT", name, "its directory cannot be read", error);
	};
	const zip = await fromRandomAccessReaderPromise(reader, source.size, options).catch(broken);
	try {
		const entries = zip.eachEntry();
		const next = async () => {
			try {
				return await entries.next();
			} catch (error) {
				return broken(error);
			}
		};
		for (let step = await next(); !step.done; step = await next()) {
			signal.throwIfAborted();
			onEntry(toEntry(step.value, path));
		}
	} finally {
		zip.close();
	}
	return reader.next;
}
