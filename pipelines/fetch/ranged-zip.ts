import { LakeError } from "../../schemas/errors.js";
import type { Archive, ArchiveReader, Member, MemberRef, ShardFiles } from "../ports/archive.js";
import type { ImageResult } from "../ports/images.js";
import type { ShardInput } from "../ports/source.js";
import { type Span, SparseFile, type SparseOptions } from "./sparse-file.js";

/**
 * A shard's zip elsewhere, of which only the directory and the members that are asked for are fetched, into a sparse file
 * at their own offsets: the archive reader and the image threads read that as they read a whole zip. The zip's SHA-256
 * cannot be checked so. Instead each member is held against its CRC-32; the directory, which has no checksum of its own,
 * is fetched twice and both must be equal; the pinned commit and the size are the listing's. The zip's rules hold for the
 * directory, and for the local headers of what was fetched.
 */

type ZipInput = Extract<ShardInput, { form: "zip" }>;

export interface RangedTools extends SparseOptions {
	archives: ArchiveReader;
}

/** 100,000 entries of 600 bytes: more is no directory of a zip that would be accepted. */
const MAX_RECORDS = 64 << 20;
/** A local header, its longest name and its longest extra field (APPNOTE 4.3.7). */
const LONGEST_HEAD = 30 + 2 * 0xffff;
/** Damage that may have come about on the way. */
const DOUBTFUL: ReadonlySet<string> = new Set(["MEMBER_CRC_MISMATCH", "MEMBER_UNREADABLE"]);

/**
 * How much of a zip's end is fetched first. The directory of images of 330 KB takes one part in 2,500 of their zip (250 KB
 * for 1,950 of them); where images are smaller, what lacks of it is fetched next.
 */
export function endBytes(zipBytes: number): number {
	return Math.min(zipBytes, Math.max(8 * 1024, Math.ceil(zipBytes / 2000)), 256 * 1024);
}

export class RangedZip {
	private constructor(
		private readonly input: ZipInput,
		private readonly files: ShardFiles,
		private readonly tools: RangedTools,
		private readonly sparse: SparseFile,
		private readonly recordsStart: number,
		/** All that the directory names; only what `bring` brought can be read. */
		readonly archive: Archive,
	) {}

	/**
	 * Fetches the directory, and finds it safe. Throws ZIP_CORRUPT, ZIP_UNSAFE, NO_SPACE, and what the source throws when
	 * retries do not help; leaves nothing then.
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
			if (bytes - start > MAX_RECORDS) {
				const message = `${files.zip}: its directory takes ${bytes - start} bytes, more than an honest one does.`;
				throw new LakeError("ZIP_CORRUPT", message, { path: files.zip });
			}
			await sparse.fetchSurely({ from: start, to: bytes });
			const archive = await archives.open(input, sparse.path, files, signal);
			return new RangedZip(input, files, tools, sparse, start, archive);
		} catch (error) {
			await sparse.release();
			throw error;
		}
	}

	/** Where the members that were brought lie, as in the zip. */
	get path(): string {
		return this.sparse.path;
	}

	/** Fetches these members, neighbours together. Throws ZIP_UNSAFE where their headers belie the directory, and as `open` does. */
	async bring(members: Member[]): Promise<void> {
		await this.sparse.fetch(this.#spans(members.map(({ ref }) => ref)));
		// Now their headers are here, which tell where their data ends.
		await this.tools.archives.open(this.input, this.sparse.path, this.files, this.tools.signal);
	}

	/** The JSON's bytes, brought here; damage is fetched once more before it counts. Throws JSON_INVALID, and as `bring` does. */
	async readJson(json: Member): Promise<Buffer> {
		await this.bring([json]);
		try {
			return await this.tools.archives.readJson(json);
		} catch (error) {
			if (!(error instanceof LakeError) || error.code !== "JSON_INVALID") throw error;
			await this.#bringAgain(json.ref);
			return this.tools.archives.readJson(json);
		}
	}

	/** The verdict on a member that was brought; one that cannot be read, or has a wrong CRC-32, is fetched once more first. */
	async judge(ref: MemberRef, run: () => Promise<ImageResult>): Promise<ImageResult> {
		const result = await run();
		if (result.reject === null || !DOUBTFUL.has(result.reject.code)) return result;
		await this.#bringAgain(ref);
		return run();
	}

	/** Deletes what was fetched. */
	release(): Promise<void> {
		return this.sparse.release();
	}

	async #bringAgain(ref: MemberRef): Promise<void> {
		for (const span of this.#spans([ref])) await this.sparse.fetchAgain(span);
	}

	/**
	 * Where each member's header and data lie. How long its header is stands in the header; so all is taken up to where the
	 * next member begins, or to where the longest header would let the data end.
	 */
	#spans(refs: MemberRef[]): Span[] {
		const { json, members } = this.archive;
		const all = [...members, ...(json ? [json] : [])].flatMap(({ ref }) =>
			ref.kind === "zip" ? ref.headerOffset : [],
		);
		const starts = [...all, this.recordsStart].sort((a, b) => a - b);
		return refs.flatMap((ref) => {
			if (ref.kind !== "zip" || ref.headerOffset >= this.input.bytes) return [];
			const from = ref.headerOffset;
			const next = starts.find((start) => start > from) ?? this.input.bytes;
			return [{ from, to: Math.min(next, from + LONGEST_HEAD + ref.compressedBytes, this.input.bytes) }];
		});
	}
}
