import { LakeError } from "../../schemas/errors.js";
import type { Archive, ArchiveReader, Member, MemberRef, ShardFiles } from "../ports/archive.js";
import type { ImageResult } from "../ports/images.js";
import type { ShardInput } from "../ports/source.js";
import { type Span, SparseFile, type SparseOptions } from "./sparse-file.js";

/**
 * A remote zip of which only the directory and the wanted members are fetched, into a sparse file at their own offsets:
 * the archive reader and the image threads read it like a whole zip. The zip's SHA-256 cannot be checked. Instead, each
 * member is checked against its CRC-32; the directory, which has no checksum, is fetched twice and must be equal; commit
 * and size are those of the listing. The zip rules apply to the directory, and to the local headers that were fetched.
 */

type ZipInput = Extract<ShardInput, { form: "zip" }>;

interface RangedTools extends SparseOptions {
	archives: ArchiveReader;
}

/** 100,000 entries of 600 bytes; a zip with a larger directory would not be accepted. */
const MAX_RECORDS_BYTES = 64 << 20;
/** A local header with the longest name and extra field (APPNOTE 4.3.7). */
const MAX_HEADER_BYTES = 30 + 2 * 0xffff;
/** Damage that the transfer may have caused. */
const DOUBTFUL: ReadonlySet<string> = new Set(["MEMBER_CRC_MISMATCH", "MEMBER_UNREADABLE"]);

/**
 * How much of a zip's end is fetched first. For images of 330 KB, the directory is 1/2,500 of the zip (250 KB for 1,950
 * images); for smaller images, the rest of it is fetched next.
 */
export function endBytes(zipBytes: number): number {
	return Math.min(zipBytes, Math.max(8 * 1024, Math.ceil(zipBytes / 2000)), 256 * 1024);
}

interface OpenZip {
	input: ZipInput;
	files: ShardFiles;
	sparse: SparseFile;
	/** Offset of the zip's own records. */
	recordsStart: number;
}

export class RangedZip {
	/** All that the directory names; only members that `bring` has fetched can be read. */
	readonly archive: Archive;
	readonly #zip: OpenZip;
	readonly #tools: RangedTools;

	/** For `open` alone. */
	constructor(zip: OpenZip, archive: Archive, tools: RangedTools) {
		this.#zip = zip;
		this.archive = archive;
		this.#tools = tools;
	}

	/**
	 * Fetches the directory and checks it. Throws ZIP_CORRUPT, ZIP_UNSAFE, NO_SPACE, and what the source throws after all
	 * retries; leaves nothing behind then.
	 */
	static async open(input: ZipInput, files: ShardFiles, tools: RangedTools): Promise<RangedZip> {
		const { archives, signal } = tools;
		const { bytes } = input;
		const sparse = await SparseFile.open(input.file, tools);
		try {
			await sparse.fetchSurely({ from: bytes - endBytes(bytes), to: bytes });
			const read = async (position: number, length: number): Promise<Buffer> => {
				await sparse.fetchSurely({ from: position, to: Math.min(position + length, bytes) });
				return sparse.read(position, length);
			};
			const start = await archives.recordsStart(files.zip, bytes, read);
			if (bytes - start > MAX_RECORDS_BYTES) {
				const message = `${files.zip}: its directory takes ${bytes - start} bytes, more than an honest one does.`;
				throw new LakeError("ZIP_CORRUPT", message, { path: files.zip });
			}
			await sparse.fetchSurely({ from: start, to: bytes });
			const archive = await archives.open(input, sparse.path, files, signal);
			return new RangedZip({ input, files, sparse, recordsStart: start }, archive, tools);
		} catch (error) {
			await sparse.release();
			throw error;
		}
	}

	/** Local file that has the fetched members at their offsets in the zip. */
	get path(): string {
		return this.#zip.sparse.path;
	}

	/** Fetches members, neighbours together. Throws ZIP_UNSAFE where their headers contradict the directory, and as `open` does. */
	async bring(members: Member[]): Promise<void> {
		await this.#zip.sparse.fetch(this.#spans(members.map(({ ref }) => ref)));
		// Checks again, now that their headers tell where their data ends.
		await this.#tools.archives.open(this.#zip.input, this.#zip.sparse.path, this.#zip.files, this.#tools.signal);
	}

	/** Fetches the JSON's bytes, damaged ones once more. Throws JSON_INVALID, and as `bring` does. */
	async readJson(json: Member): Promise<Buffer> {
		await this.bring([json]);
		try {
			return await this.#tools.archives.readJson(json);
		} catch (error) {
			if (!(error instanceof LakeError) || error.code !== "JSON_INVALID") throw error;
			await this.#bringAgain(json.ref);
			return this.#tools.archives.readJson(json);
		}
	}

	/** The verdict on a fetched member. One that cannot be read, or has a wrong CRC-32, is first fetched once more. */
	async judge(ref: MemberRef, run: () => Promise<ImageResult>): Promise<ImageResult> {
		const result = await run();
		if (result.reject === null || !DOUBTFUL.has(result.reject.code)) return result;
		await this.#bringAgain(ref);
		return run();
	}

	/** Deletes the fetched bytes. */
	release(): Promise<void> {
		return this.#zip.sparse.release();
	}

	async #bringAgain(ref: MemberRef): Promise<void> {
		for (const span of this.#spans([ref])) await this.#zip.sparse.fetchAgain(span);
	}

	/**
	 * The bytes of each member. The length of its header stands in the header itself; so this is everything up to the next
	 * member, or up to the data's end after the longest possible header.
	 */
	#spans(refs: MemberRef[]): Span[] {
		const { json, members } = this.archive;
		const all = [...members, ...(json ? [json] : [])].flatMap(({ ref }) =>
			ref.kind === "zip" ? ref.headerOffset : [],
		);
		const starts = [...all, this.#zip.recordsStart].sort((a, b) => a - b);
		return refs.flatMap((ref) => {
			if (ref.kind !== "zip" || ref.headerOffset >= this.#zip.input.bytes) return [];
			const from = ref.headerOffset;
			const next = starts.find((start) => start > from) ?? this.#zip.input.bytes;
			return [{ from, to: Math.min(next, from + MAX_HEADER_BYTES + ref.compressedBytes, this.#zip.input.bytes) }];
		});
	}
}
