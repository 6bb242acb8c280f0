/** One image from its member to its verdict, and to the bytes that are stored. */

import { createHash } from "node:crypto";
import { objectFile } from "../../../pipelines/lake/paths.js";
import type { ImageFinding, ImageResult, ImageTask, StoredImage } from "../../../pipelines/ports/images.js";
import type { Settings } from "../../../schemas/settings.js";
import type { SourceFormat, StoredFormat } from "../../../schemas/stored-format.js";
import { isLarge, MemberReader } from "../archive/member.js";
import { type Decoded, type Decoder, decodesWhole, isKept, storedHeader } from "./decode.js";
import { examine } from "./formats/examine.js";
import type { Structure } from "./formats/structure.js";
import { pixelHash } from "./pixels.js";
import type { Budget } from "./pool/budget.js";

/** A verdict, and the object to stage with it. */
interface Judged {
	result: ImageResult;
	object: { key: string; content: Buffer } | null;
}

interface Stored {
	content: Buffer;
	sha256: string;
	format: StoredFormat;
	width: number;
	height: number;
}

/** A member whose structure is good. */
interface Original {
	content: Buffer;
	sha256: string;
	format: SourceFormat;
	structure: Structure;
}

type Hashes = Pick<StoredImage, "pixel_sha256" | "dhash">;

const UNHASHED: Hashes = { pixel_sha256: null, dhash: null };

/** How pixels are looked at. `careful`: decoded by the arbiter only. */
interface Manner {
	settings: Settings;
	careful: boolean;
}

interface Sums {
	bytes: number | null;
	sha256: string | null;
	crc32: string | null;
}

/** From here on a member waits for the whole budget, before its size in pixels is known. */
const HEAVY_BYTES = 16 * 1024 * 1024;

/** Pixels over this much memory are given back at once, not when the collector finds the time. */
const LARGE_PIXELS = 16 * 1024 * 1024;

const DAMAGED: ImageFinding = {
	code: "IMAGE_UNDECODABLE",
	detail: "The picture's data is damaged and cannot be decoded.",
};

/** Judges images one at a time. A thread's judges share its decoder and its share of the budget. */
export class Judge {
	readonly #members = new MemberReader();
	readonly #decoder: Decoder;
	readonly #budget: Budget;

	constructor(decoder: Decoder, budget: Budget) {
		this.#decoder = decoder;
		this.#budget = budget;
	}

	/** Throws a LakeError where the surroundings fail; a bad image is a value. */
	async judge(task: ImageTask, manner: Manner): Promise<Judged> {
		if (isLarge(task.ref)) return this.#judgeLarge(task);
		// One share a picture, never two: a heavy member takes all of it before it is read.
		const heavy = task.check !== "hash" && task.ref.bytes > HEAVY_BYTES;
		if (!heavy) return this.#judgeContent(task, manner, null);
		const share = await this.#budget.acquire(Number.MAX_SAFE_INTEGER);
		try {
			return await this.#judgeContent(task, manner, share);
		} finally {
			collect();
			this.#budget.release(share);
		}
	}

	async #judgeLarge(task: ImageTask): Promise<Judged> {
		const member = await this.#members.readLarge(task.ref);
		const sums = sumsOf(member);
		if (!member.ok) return rejected(sums, unreadable(member.code, member.detail));
		if (task.check !== "image") return unjudged(sums);
		const verdict = examine(task.format, member.head, member.bytes);
		return verdict.ok ? unjudged(sums) : rejected(sums, verdict.reject);
	}

	async #judgeContent(task: ImageTask, manner: Manner, held: number | null): Promise<Judged> {
		const { settings } = manner;
		const member = this.#members.read(task.ref);
		const sums = sumsOf(member.ok ? { ...member, bytes: member.content.length } : member);
		if (!member.ok) return rejected(sums, unreadable(member.code, member.detail));
		if (task.check === "hash") return unjudged(sums);
		if (task.check === "stored") return this.#judgeStored(task, member, sums, held);
		const verdict = examine(task.format, member.content);
		if (!verdict.ok) return rejected(sums, verdict.reject);
		const { structure } = verdict;
		const original: Original = { content: member.content, sha256: member.sha256, format: task.format, structure };
		if (settings.verify === "structure" && settings.image === "passthrough") {
			return good(task, sums, structure, { ...asItIs(original), ...UNHASHED });
		}
		const decoded = () => this.#decodeAndStore(task, manner, sums, original);
		// The decoder has memory for such a picture, whether it is in use or not.
		if (isKept(structure) && settings.image === "passthrough") return decoded();
		// Decoders hold the picture twice for a moment, and re-encoding holds it once more.
		const cost = structure.width * structure.height * (settings.image === "passthrough" ? 8 : 12);
		const share = held ?? (await this.#budget.acquire(cost));
		try {
			return await decoded();
		} finally {
			if (held === null) {
				if (cost > LARGE_PIXELS) collect();
				this.#budget.release(share);
			}
		}
	}

	/** An object that was re-encoded. It is as it was made where it decodes, since its SHA-256 is told beside it. */
	async #judgeStored(
		task: ImageTask,
		{ content, sha256 }: { content: Buffer; sha256: string },
		sums: Sums,
		held: number | null,
	): Promise<Judged> {
		const header = await storedHeader(content);
		if (header === null) return rejected(sums, DAMAGED);
		const share = held ?? (await this.#budget.acquire(header.width * header.height * 8));
		try {
			if (!(await decodesWhole(content))) return rejected(sums, DAMAGED);
		} finally {
			if (held === null) this.#budget.release(share);
		}
		return good(task, sums, { ...header, warnings: [] }, { content, sha256, ...header, ...UNHASHED });
	}

	async #decodeAndStore(
		task: ImageTask,
		{ settings, careful }: Manner,
		sums: Sums,
		original: Original,
	): Promise<Judged> {
		const { structure } = original;
		const { width, height } = structure;
		const picture = await this.#decoder.decode(original.content.subarray(0, structure.bytes), structure, careful);
		if (picture === null) return rejected(sums, DAMAGED);
		const hashes = { pixel_sha256: pixelHash(picture.rgba, width, height), dhash: picture.dhash };
		const encoded = await this.#encode(picture, original, settings, hashes.pixel_sha256);
		const shown = settings.verify === "structure" ? UNHASHED : hashes;
		return good(task, sums, structure, { ...(encoded ?? asItIs(original)), ...shown });
	}

	/** The re-encoded picture, or null where the original bytes are stored. */
	async #encode(
		picture: Decoded,
		{ content, structure }: Original,
		settings: Settings,
		pixels: string,
	): Promise<Stored | null> {
		if (settings.image === "passthrough") return null;
		const { encode } = await import("./encode.js");
		const encoded = await encode(picture, structure.width, structure.height, settings);
		if (encoded === null) return null;
		if (settings.image === "webp-lossless" && settings.max_side === null) {
			if (encoded.content.length >= content.length) return null;
			// The frame may be reused from here on: `picture` is done with.
			if ((await this.#pixelsOf(encoded.content)) !== pixels) return null;
		}
		return { ...encoded, sha256: createHash("sha256").update(encoded.content).digest("hex") };
	}

	async #pixelsOf(content: Buffer): Promise<string | null> {
		const verdict = examine("webp", content);
		if (!verdict.ok) return null;
		const again = await this.#decoder.decode(content, verdict.structure, false);
		return again === null ? null : pixelHash(again.rgba, verdict.structure.width, verdict.structure.height);
	}
}

/**
 * Gives large freed buffers back: what the first collection finds is freed by another thread, which the second waits for.
 * The host runs with `--expose-gc`; elsewhere this does nothing.
 */
function collect(): void {
	globalThis.gc?.();
	globalThis.gc?.();
}

function sumsOf(member: { bytes?: number; sha256?: string; crc32?: number }): Sums {
	return {
		bytes: member.bytes ?? null,
		sha256: member.sha256 ?? null,
		crc32: member.crc32 === undefined ? null : member.crc32.toString(16).padStart(8, "0"),
	};
}

/** The reader's detail is a clause about the member. */
function unreadable(code: ImageFinding["code"], clause: string): ImageFinding {
	return { code, detail: `The member cannot be used: ${clause}.` };
}

function unjudged(sums: Sums): Judged {
	return { result: { ...sums, reject: null, warnings: [], image: null }, object: null };
}

function rejected(sums: Sums, reject: ImageFinding): Judged {
	return { result: { ...sums, reject, warnings: [], image: null }, object: null };
}

function asItIs({ content, sha256, format, structure }: Original): Stored {
	return { content, sha256, format, width: structure.width, height: structure.height };
}

function good(
	task: ImageTask,
	sums: Sums,
	structure: Pick<Structure, "width" | "height" | "warnings">,
	stored: Stored & Hashes,
): Judged {
	const { sha256, format, pixel_sha256, dhash } = stored;
	const image: StoredImage = {
		object_key: objectFile.path(sha256, format),
		sha256,
		bytes: stored.content.length,
		format,
		width: stored.width,
		height: stored.height,
		source_width: structure.width,
		source_height: structure.height,
		pixel_sha256,
		dhash,
	};
	const object = task.keep ? { key: image.object_key, content: stored.content } : null;
	return { result: { ...sums, reject: null, warnings: structure.warnings, image }, object };
}
