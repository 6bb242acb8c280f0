import { closeSync, openSync, writeSync } from "node:fs";
import { crc32, deflateRawSync } from "node:zlib";

export const STORED = 0;
export const DEFLATE = 8;
export const ENCRYPTED_FLAG = 0x0001;
const UTF8_FLAG = 0x0800;
/** 2023-04-12 12:00:00, the same in every entry. */
const DOS_TIME = 12 << 11;
const DOS_DATE = ((2023 - 1980) << 9) | (4 << 5) | 12;
const MADE_BY_UNIX = (3 << 8) | 20;
/** Above this, zip64 would be needed. */
const LIMIT = 0xffffffff;

/** What an entry says about itself against the truth; for bad zips. */
export interface EntryLies {
	method?: number;
	/** Added to the general purpose flags. */
	flags?: number;
	crc32?: number;
	/** Uncompressed size. */
	bytes?: number;
	/** Bytes in place of the packed content. */
	packed?: Buffer;
	/** Unix mode with the file type: 0o120777 is a symbolic link. */
	mode?: number;
	/** Bytes left out in place of the content, which is stored. */
	hole?: number;
	/** Nothing is written: the directory points to the local header of an earlier entry. */
	offsetOf?: string;
}

interface DirectoryEntry {
	name: Buffer;
	method: number;
	flags: number;
	crc: number;
	packedBytes: number;
	bytes: number;
	mode: number;
	offset: number;
}

/**
 * Writes a zip (APPNOTE 6.3.10, without zip64) to disk, entry by entry. Same calls, same bytes. It checks
 * nothing, so that it can write what no honest zip holds.
 */
export class ZipWriter {
	#file: number;
	#offset = 0;
	#directory: DirectoryEntry[] = [];
	#offsets = new Map<string, number>();

	constructor(path: string) {
		this.#file = openSync(path, "wx");
	}

	/** Bytes outside of any entry. */
	raw(bytes: Buffer): void {
		for (let at = 0; at < bytes.length; ) {
			at += writeSync(this.#file, bytes, at, bytes.length - at, this.#offset + at);
		}
		this.#offset += bytes.length;
	}

	/** An entry whose content is a hole in the file: it has its size and takes no space. */
	hole(name: string, bytes: number): void {
		this.add(name, Buffer.alloc(0), STORED, { bytes, hole: bytes });
	}

	/** A folder's entry; the name ends with a slash. */
	folder(name: string): void {
		this.add(name, Buffer.alloc(0), STORED, { mode: 0o040755 });
	}

	add(name: string, content: Buffer, method: typeof STORED | typeof DEFLATE, lies: EntryLies = {}): void {
		const packed = lies.packed ?? (method === DEFLATE ? deflateRawSync(content) : content);
		const known = lies.offsetOf === undefined ? undefined : this.#offsets.get(lies.offsetOf);
		const encoded = Buffer.from(name);
		const entry: DirectoryEntry = {
			name: encoded,
			method: lies.method ?? method,
			flags: (lies.flags ?? 0) | (encoded.length > name.length ? UTF8_FLAG : 0),
			crc: lies.crc32 ?? crc32(content),
			packedBytes: lies.hole ?? packed.length,
			bytes: lies.bytes ?? content.length,
			mode: lies.mode ?? 0o100644,
			offset: known ?? this.#offset,
		};
		this.#directory.push(entry);
		if (known !== undefined) return;
		this.#offsets.set(name, this.#offset);
		this.raw(localHeader(entry));
		this.raw(packed);
		this.#offset += lies.hole ?? 0;
	}

	/** Writes the directory and closes the file. `countError` is added to the number of entries that the end record claims. */
	end(countError = 0): void {
		const entries = this.#directory.length + countError;
		const start = this.#offset;
		for (const entry of this.#directory) this.raw(centralHeader(entry));
		if (this.#offset > LIMIT) throw new RangeError("the zip is over 4 GiB");
		const end = Buffer.alloc(22);
		end.writeUInt32LE(0x06054b50, 0);
		end.writeUInt16LE(entries, 8);
		end.writeUInt16LE(entries, 10);
		end.writeUInt32LE(this.#offset - start, 12);
		end.writeUInt32LE(start, 16);
		this.raw(end);
		this.close();
	}

	/** Closes the file as it stands. */
	close(): void {
		if (this.#file >= 0) closeSync(this.#file);
		this.#file = -1;
	}
}

/** The fields that local and central headers share, from the version needed on. */
function sharedFields(entry: DirectoryEntry): Buffer {
	const fields = Buffer.alloc(26);
	fields.writeUInt16LE(20, 0);
	fields.writeUInt16LE(entry.flags, 2);
	fields.writeUInt16LE(entry.method, 4);
	fields.writeUInt16LE(DOS_TIME, 6);
	fields.writeUInt16LE(DOS_DATE, 8);
	fields.writeUInt32LE(entry.crc, 10);
	fields.writeUInt32LE(entry.packedBytes, 14);
	fields.writeUInt32LE(entry.bytes, 18);
	fields.writeUInt16LE(entry.name.length, 22);
	return fields;
}

function localHeader(entry: DirectoryEntry): Buffer {
	const signature = Buffer.alloc(4);
	signature.writeUInt32LE(0x04034b50);
	return Buffer.concat([signature, sharedFields(entry), entry.name]);
}

function centralHeader(entry: DirectoryEntry): Buffer {
	const start = Buffer.alloc(6);
	start.writeUInt32LE(0x02014b50, 0);
	start.writeUInt16LE(MADE_BY_UNIX, 4);
	const end = Buffer.alloc(14);
	end.writeUInt32LE((entry.mode << 16) >>> 0, 6);
	end.writeUInt32LE(entry.offset, 10);
	return Buffer.concat([start, sharedFields(entry), end, entry.name]);
}
