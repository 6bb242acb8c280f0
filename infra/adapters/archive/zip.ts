import type { Archive, ShardFiles } from "../../../pipelines/ports/archive.js";
import { type ByteSource, withFile } from "./bytes.js";
import { sharedName, toArchive } from "./layout.js";
import { readDirectory, type ZipEntry } from "./zip-directory.js";
import { checkGap, readEndRecord } from "./zip-end.js";
import { shown, zipError } from "./zip-errors.js";
import { EntryList, overlap, type Span } from "./zip-rules.js";

const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
/** Local headers read at once: enough to keep Node's threads busy. */
const BATCH = 64;

/**
 * Opens a shard's zip and finds it safe. Reads the directory and each local header's fixed part, no content.
 * Throws ZIP_UNSAFE, ZIP_CORRUPT (docs/codes.md), SOURCE_UNREADABLE, or the signal's
 * reason. An entry that cannot be unpacked is no error here: reading it says so.
 */
export function openZip(zipPath: string, files: ShardFiles, signal: AbortSignal): Promise<Archive> {
	return withFile(zipPath, (source) => readZip(source, zipPath, files, signal));
}

/** `openZip` of bytes that are open already; `zipPath` is where members will be read from; messages name the shard's. */
export async function readZip(
	source: ByteSource,
	zipPath: string,
	files: ShardFiles,
	signal: AbortSignal,
): Promise<Archive> {
	const name = files.zip;
	const end = await readEndRecord(source, name);
	const list = new EntryList(source.size);
	const take = (entry: ZipEntry): void => {
		const fault = list.take(entry);
		if (fault !== null) throw zipError("ZIP_UNSAFE", name, `entry "${shown(entry.name)}" ${fault}`);
	};
	const directoryEnd = await readDirectory(source, { path: zipPath, name, end }, take, signal);
	if (directoryEnd > end.position) throw zipError("ZIP_CORRUPT", name, "its directory runs into its end record");
	await checkGap(source, name, { from: directoryEnd, to: end.position }, signal);
	if (end.gap !== null) await checkGap(source, name, end.gap, signal);
	const own: [Span, Span] = [
		{ name: null, start: end.directoryOffset, end: directoryEnd },
		{ name: null, start: end.position, end: source.size },
	];
	await checkSpans(source, name, { entries: list.entries, own }, signal);

	const archive = toArchive(
		list.entries.filter((entry) => !entry.name.endsWith("/")),
		files,
	);
	const shared = sharedName(archive.members);
	if (shared !== null) {
		throw zipError("ZIP_UNSAFE", name, `entry "${shown(shared)}" lies both inside and outside the shard's folder`);
	}
	return archive;
}

/** Throws ZIP_UNSAFE for bytes before the first entry, and for entries that overlap each other or the zip's records. */
async function checkSpans(
	source: ByteSource,
	name: string,
	{ entries, own }: { entries: ZipEntry[]; own: [Span, Span] },
	signal: AbortSignal,
): Promise<void> {
	const first = entries.reduce((least, entry) => Math.min(least, entry.ref.headerOffset), own[1].start);
	if (first > 0) throw zipError("ZIP_UNSAFE", name, `${first} bytes stand before its first entry`);
	const spans = await entrySpans(source, entries, signal);
	const pair = overlap([...spans, ...own]);
	if (pair === null) return;
	const [one, other] = pair[0].name === null ? [pair[1], pair[0]] : pair;
	const rest = other.name === null ? "the zip's own directory" : `entry "${shown(other.name)}"`;
	throw zipError("ZIP_UNSAFE", name, `entry "${shown(one.name ?? "")}" overlaps ${rest}`);
}

/**
 * Where each entry's header and data lie. The data's start is known only from the local header; of an entry whose
 * header cannot be read the least that it can cover is taken. Entries that begin beyond the file's end cover nothing.
 */
async function entrySpans(source: ByteSource, entries: ZipEntry[], signal: AbortSignal): Promise<Span[]> {
	const sorted = entries
		.filter((entry) => entry.ref.headerOffset < source.size)
		.sort((a, b) => a.ref.headerOffset - b.ref.headerOffset);
	const spans: Span[] = [];
	for (let at = 0; at < sorted.length; at += BATCH) {
		signal.throwIfAborted();
		const batch = sorted.slice(at, at + BATCH);
		const headers = await Promise.all(batch.map((entry) => source.read(entry.ref.headerOffset, LOCAL_BYTES)));
		batch.forEach((entry, index) => {
			const start = entry.ref.headerOffset;
			spans.push({ name: entry.name, start, end: start + headBytes(headers[index]) + entry.ref.compressedBytes });
		});
	}
	return spans;
}

/** Bytes from an entry's local header to its data. */
function headBytes(header: Buffer | undefined): number {
	if (header === undefined || header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL) return LOCAL_BYTES;
	return LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
}
