import type { ByteSource } from "./bytes.js";
import { zipError } from "./zip-errors.js";

/** The records at a zip's end, of which yauzl exposes only a part (APPNOTE 6.3.10, sections 4.3.14 to 4.3.16). */
export interface EndRecord {
	/** Offset before which the directory must end: of the zip64 end record if there is one, else of the end record. */
	position: number;
	/** The directory's offset and size, as the record gives them. */
	directoryOffset: number;
	directoryBytes: number;
	/** Between the zip64 end record and its locator; empty in an honest zip. */
	gap: { from: number; to: number } | null;
}

const END = 0x06054b50;
const END_BYTES = 22;
const ZIP64_END = 0x06064b50;
const ZIP64_END_BYTES = 56;
const LOCATOR = 0x07064b50;
const LOCATOR_BYTES = 20;
const CENTRAL = 0x02014b50;
const CHUNK = 1 << 20;

/** Finds the end record as yauzl does: the last signature, whose comment must reach to the end of the file. */
export async function readEndRecord(source: ByteSource, name: string): Promise<EndRecord> {
	const { tail, at } = await findEndRecord(source);
	if (at < 0) throw zipError("ZIP_CORRUPT", name, "it has no end record: it is cut short, or no zip");
	if (tail.readUInt16LE(at + 20) !== tail.length - at - END_BYTES) {
		throw zipError("ZIP_CORRUPT", name, "bytes follow its end record");
	}
	const position = source.size - tail.length + at;
	const locator = at - LOCATOR_BYTES;
	if (locator >= 0 && tail.readUInt32LE(locator) === LOCATOR) {
		const claimed = Number(tail.readBigUInt64LE(locator + 8));
		return readZip64End(source, name, claimed, position - LOCATOR_BYTES);
	}
	const directoryBytes = tail.readUInt32LE(at + 12);
	const directoryOffset = tail.readUInt32LE(at + 16);
	return { position, directoryOffset, directoryBytes, gap: null };
}

/** The zip's tail and the record's offset in it, -1 without one. Tries first without a comment, which needs few bytes. */
async function findEndRecord(source: ByteSource): Promise<{ tail: Buffer; at: number }> {
	const read = (bytes: number): Promise<Buffer> => {
		const tailBytes = Math.min(LOCATOR_BYTES + END_BYTES + bytes, source.size);
		return source.read(source.size - tailBytes, tailBytes);
	};
	const bare = await read(0);
	const last = bare.length - END_BYTES;
	if (last >= 0 && bare.readUInt32LE(last) === END) return { tail: bare, at: last };
	const tail = await read(0xffff);
	let at = tail.length - END_BYTES;
	while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
	return { tail, at };
}

/** Offset of a zip's own records: the directory, the zip64 end record, the end record. */
export async function recordsStart(zipName: string, size: number, read: ByteSource["read"]): Promise<number> {
	const { directoryOffset, position } = await readEndRecord({ size, read }, zipName);
	return Math.min(directoryOffset, position, size);
}

async function readZip64End(source: ByteSource, name: string, claimed: number, locator: number): Promise<EndRecord> {
	const record = await source.read(claimed, ZIP64_END_BYTES);
	if (record.length < ZIP64_END_BYTES || record.readUInt32LE(0) !== ZIP64_END) {
		const shifted = locator - ZIP64_END_BYTES;
		if (shifted > claimed && (await signatureAt(source, shifted)) === ZIP64_END) {
			throw zipError("ZIP_UNSAFE", name, `${shifted - claimed} bytes stand before the zip itself`);
		}
		throw zipError("ZIP_CORRUPT", name, "its zip64 end record is not where its locator says");
	}
	const end = claimed + 12 + Number(record.readBigUInt64LE(4));
	return {
		position: claimed,
		directoryBytes: Number(record.readBigUInt64LE(40)),
		directoryOffset: Number(record.readBigUInt64LE(48)),
		gap: end < locator ? { from: end, to: locator } : null,
	};
}

async function signatureAt(source: ByteSource, position: number): Promise<number | null> {
	const bytes = await source.read(position, 4);
	return bytes.length === 4 ? bytes.readUInt32LE(0) : null;
}

/**
 * How many bytes stand before a zip whose offsets do not count them, such as a zip appended to another; 0 for none.
 * Then the directory is where the record's size says, not where its offset does.
 */
export async function shiftOf(source: ByteSource, end: EndRecord): Promise<number> {
	const start = end.position - end.directoryBytes;
	if (start <= end.directoryOffset) return 0;
	return (await signatureAt(source, start)) === CENTRAL ? start - end.directoryOffset : 0;
}

/**
 * Scans the bytes between the last entry that the end record counts and that record. Padding is fine; another end
 * record means that two zips are joined, another entry that one was hidden.
 */
export async function checkGap(
	source: ByteSource,
	name: string,
	gap: { from: number; to: number },
	signal: AbortSignal,
): Promise<void> {
	const central = Buffer.from("PK\x01\x02", "latin1");
	const ends = [Buffer.from("PK\x05\x06", "latin1"), Buffer.from("PK\x06\x06", "latin1")];
	let hidden = false;
	for (let at = gap.from; at < gap.to; at += CHUNK) {
		signal.throwIfAborted();
		const bytes = await source.read(at, Math.min(CHUNK + 3, gap.to - at));
		if (ends.some((mark) => bytes.includes(mark))) throw zipError("ZIP_UNSAFE", name, "two zips are joined in it");
		hidden ||= bytes.includes(central);
	}
	if (hidden) throw zipError("ZIP_CORRUPT", name, "its directory holds more entries than its end record says");
}
