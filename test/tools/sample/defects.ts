import { crc32, deflateRawSync } from "node:zlib";
import sharp from "sharp";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import type { FindingCode } from "../../../schemas/codes.js";
import type { SourceRow } from "../../support/tables.js";
import type { PlannedGroup, PlannedMember, PlannedRow, ShardPlan } from "./plan.js";
import type { Random } from "./random.js";
import { animation, chunk, payloadOf, riff, withClaimedSize } from "./webp.js";
import { DEFLATE, ENCRYPTED_FLAG } from "./zip-writer.js";

/** Where a defect is planted. `row` and `member` are of one image of the group. */
export interface Target {
	plan: ShardPlan;
	group: PlannedGroup;
	row: PlannedRow;
	member: PlannedMember;
	random: Random;
}

/** One way to break a row, an image, or what stands beside them; it provokes its own code and no other. */
export interface Defect {
	code: FindingCode;
	variant: string;
	note: string;
	/** How many rows a mirror rejects for it. */
	rejects: 0 | 1 | 2;
	/** It can only be shown by a zip's entry. */
	zipOnly?: true;
	/** It is about a member or a row that has no image in the JSON, or about the shard: what it names instead of the target. */
	plant: (target: Target) => Partial<Record<"image_path" | "prompt_id" | "member", string | null>> | undefined;
}

function reject({ row, member }: Target): undefined {
	row.rejected = true;
	member.fate = "rejected";
}

/** Sets columns in the JSON and in the metadata alike. */
function setBoth(row: PlannedRow, values: Partial<SourceRow>): void {
	Object.assign(row.json, values);
	if (row.metadata) Object.assign(row.metadata, values);
}

/** A defect of the image's bytes. */
function image(
	code: FindingCode,
	variant: string,
	note: string,
	change: (webp: Buffer) => Buffer | Promise<Buffer>,
): Defect {
	const rejects = code === "IMAGE_NOT_LOSSLESS" || code === "IMAGE_TRAILING_BYTES" ? 0 : 1;
	return {
		code,
		variant,
		note,
		rejects,
		plant: (target) => {
			target.member.change = change;
			if (rejects > 0) reject(target);
			return undefined;
		},
	};
}

/** A defect of the image's entry in the zip. */
function entry(code: FindingCode, variant: string, note: string, lies: NonNullable<PlannedMember["lies"]>): Defect {
	return {
		code,
		variant,
		note,
		rejects: 1,
		zipOnly: true,
		plant: (target) => {
			target.member.lies = lies;
			return reject(target);
		},
	};
}

/** The path of the same file in another shard of the split. */
function strayPath(plan: ShardPlan, name: string): string {
	const split = plan.shard.slice(0, plan.shard.lastIndexOf("_"));
	const other = plan.shard === `${split}_1` ? `${split}_2` : `${split}_1`;
	return `${imageRewardDb.layout.rowPrefix(other)}${name}`;
}

const ROW_DEFECTS: Defect[] = [
	{
		code: "ROW_SCHEMA",
		variant: "text-in-integer",
		note: 'overall_rating is the text "5"; the metadata has the row',
		rejects: 1,
		plant: (target) => {
			target.row.json.overall_rating = "5";
			return reject(target);
		},
	},
	{
		code: "ROW_PATH",
		variant: "other-shard",
		note: "image_path names another shard; the member is there, the metadata has no row",
		rejects: 1,
		plant: (target) => {
			const path = strayPath(target.plan, target.member.name);
			target.row.json.image_path = path;
			target.row.metadata = null;
			reject(target);
			return { image_path: path };
		},
	},
	{
		code: "ROW_DUPLICATE",
		variant: "equal",
		note: "the row stands twice; the first stays",
		rejects: 1,
		plant: ({ group, row }) => {
			group.rows.push({ json: { ...row.json }, metadata: null, rejected: true });
			return undefined;
		},
	},
	{
		code: "ROW_DUPLICATE",
		variant: "contradicting",
		note: "two rows give the image different ranks; both go",
		rejects: 2,
		plant: (target) => {
			const { group, row } = target;
			const rank = row.json.rank === 1 ? 2 : 1;
			group.rows.push({ json: { ...row.json, rank }, metadata: null, rejected: true });
			return reject(target);
		},
	},
	{
		code: "ROW_NOT_IN_METADATA",
		variant: "absent",
		note: "the metadata has no row for the image",
		rejects: 1,
		plant: (target) => {
			target.row.metadata = null;
			return reject(target);
		},
	},
	{
		code: "ROW_DIFFERS_FROM_METADATA",
		variant: "rank",
		note: "the metadata gives the image another rank",
		rejects: 1,
		plant: (target) => {
			const known = target.row.metadata;
			if (known) target.row.metadata = { ...known, rank: known.rank === 1 ? 2 : 1 };
			return reject(target);
		},
	},
];

const HTML = "<!DOCTYPE html>\n<html><head><title>504 Gateway Time-out</title></head><body>504</body></html>\n";
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><circle cx="32" cy="32" r="30"/></svg>\n';

const IMAGE_DEFECTS: Defect[] = [
	{
		code: "IMAGE_MISSING",
		variant: "absent",
		note: "the shard has no member for the row",
		rejects: 1,
		plant: ({ plan, row, member }) => {
			plan.members.delete(member.name);
			row.rejected = true;
			return { member: null };
		},
	},
	image("IMAGE_EMPTY", "empty", "zero bytes", () => Buffer.alloc(0)),
	image("IMAGE_NOT_WEBP", "html", "a proxy's error page", () => Buffer.from(HTML)),
	image("IMAGE_NOT_WEBP", "png", "the picture as PNG", (webp) => sharp(webp).png().toBuffer()),
	image("IMAGE_NOT_WEBP", "svg", "a drawing as SVG", () => Buffer.from(SVG)),
	image("IMAGE_TRUNCATED", "cut", "the last third of the bytes is missing", (webp) =>
		webp.subarray(0, Math.floor((webp.length * 2) / 3)),
	),
	image("IMAGE_UNDECODABLE", "bitstream", "all zeros after the picture's header: no valid prefix code", (webp) => {
		const vp8l = Buffer.from(payloadOf(webp, "VP8L"));
		return riff([chunk("VP8L", vp8l.fill(0, 5))]);
	}),
	image("IMAGE_UNDECODABLE", "chunk-overrun", "the picture's chunk claims more bytes than its RIFF holds", (webp) => {
		const broken = chunk("VP8L", payloadOf(webp, "VP8L"));
		broken.writeUInt32LE(broken.readUInt32LE(4) + 1000, 4);
		return riff([broken]);
	}),
	image("IMAGE_TOO_LARGE", "header", "the header claims 16383 × 16383 pixels", (webp) =>
		riff([chunk("VP8L", withClaimedSize(payloadOf(webp, "VP8L"), 16383, 16383))]),
	),
	image("IMAGE_ANIMATED", "animation", "an animation of two frames", animation),
];

const ENTRY_DEFECTS: Defect[] = [
	entry("MEMBER_UNREADABLE", "encrypted", "the entry is marked as encrypted", (content) => ({
		flags: ENCRYPTED_FLAG,
		// Traditional encryption puts 12 bytes before the content.
		packed: Buffer.concat([Buffer.alloc(12, 0x5a), content]),
	})),
	entry("MEMBER_UNREADABLE", "method", "packed by method 98, which nobody knows", () => ({ method: 98 })),
	// A block of the reserved type 3 is no deflate stream.
	entry("MEMBER_UNREADABLE", "deflate", "the packed bytes do not inflate", (content) => ({
		method: DEFLATE,
		packed: Buffer.alloc(Math.max(64, content.length >> 1), 0x07),
	})),
	entry("MEMBER_UNREADABLE", "size", "the entry's size is one byte more than it unpacks to", (content) => ({
		method: DEFLATE,
		packed: deflateRawSync(content),
		bytes: content.length + 1,
	})),
	entry("MEMBER_CRC_MISMATCH", "crc", "the directory gives another CRC-32", (content) => ({
		crc32: (crc32(content) ^ 0x5a5a5a5a) >>> 0,
	})),
];

const WARNINGS: Defect[] = [
	{
		code: "IMAGE_ORPHAN",
		variant: "unnamed",
		note: "a good picture that no row names",
		rejects: 0,
		plant: ({ plan, member, random }) => {
			const name = `${random.uuid()}.webp`;
			plan.members.set(name, { name, picture: member.picture, fate: "orphan" });
			return { image_path: null, prompt_id: null, member: name };
		},
	},
	{
		code: "METADATA_EXTRA_ROW",
		variant: "extra",
		note: "the metadata has a row that the JSON lacks, and no member is there",
		rejects: 0,
		plant: ({ plan, row, random }) => {
			if (!row.metadata) throw new Error("the row has no metadata");
			const path = `${imageRewardDb.layout.rowPrefix(plan.shard)}${random.uuid()}.webp`;
			plan.extraMetadata.push({ ...row.metadata, image_path: path });
			return { image_path: path, member: null };
		},
	},
	image("IMAGE_NOT_LOSSLESS", "lossy", "the picture as lossy WebP", (webp) =>
		sharp(webp).webp({ quality: 80 }).toBuffer(),
	),
	image("IMAGE_TRAILING_BYTES", "trailing", "16 bytes follow the RIFF", (webp) =>
		Buffer.concat([webp, Buffer.alloc(16, 0x2a)]),
	),
	{
		code: "GROUP_COUNT",
		variant: "one-more",
		note: "image_amount_in_total says one more than there are",
		rejects: 0,
		plant: ({ group }) => {
			for (const row of group.rows) setBoth(row, { image_amount_in_total: group.rows.length + 1 });
			return { image_path: null, member: null };
		},
	},
	{
		code: "PROMPT_CONFLICT",
		variant: "prompt",
		note: "one row has another prompt under the same prompt_id",
		rejects: 0,
		plant: ({ group }) => {
			const last = group.rows.at(-1);
			if (last) setBoth(last, { prompt: `${String(last.json.prompt)}, variation` });
			return { image_path: null, member: null };
		},
	},
	{
		code: "RATING_RANGE",
		variant: "nine",
		note: "fidelity_rating is 9, in the metadata too",
		rejects: 0,
		plant: ({ row }) => {
			setBoth(row, { fidelity_rating: 9 });
			return undefined;
		},
	},
	{
		code: "UNKNOWN_COLUMN",
		variant: "json",
		note: "every row of the JSON has a column annotator_id",
		rejects: 0,
		plant: ({ plan }) => {
			for (const { rows } of plan.groups) for (const row of rows) row.json.annotator_id = "a17";
			return { image_path: null, prompt_id: null, member: null };
		},
	},
];

/** Every row, image and warn code of the findings' table, some in several ways; `GROUP_DROPPED` is no defect of the source. */
export const DEFECTS: readonly Defect[] = [...ROW_DEFECTS, ...IMAGE_DEFECTS, ...ENTRY_DEFECTS, ...WARNINGS];
