import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { receiptFile } from "../../pipelines/lake/paths.js";
import { checkRows } from "../../pipelines/mirror/check/check-rows.js";
import type { CheckedRows, ShardMetadata } from "../../pipelines/mirror/check/verdict.js";
import type { ImageResult } from "../../pipelines/ports/images.js";
import type { Listing, ShardInput } from "../../pipelines/ports/source.js";
import type { FindingCode } from "../../schemas/codes.js";
import type { Receipt, Snapshot } from "../../schemas/records.js";
import { DEFAULT_SETTINGS } from "../../schemas/settings.js";
import { type MetadataRow, type SourceRow, TABLE_NAMES } from "./tables.js";

/** Plain objects for the pure parts of the pipeline, complete and good unless told otherwise. */

export const PREFIX = "images/train/train_1/";

/** `00000000-0000-4000-8000-00000000000a.webp` for 10. */
export function fileName(number: number): string {
	return `00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}.webp`;
}

/** Row of image `number`, of a prompt of one image. */
export function row(number: number, values: Partial<SourceRow> = {}): SourceRow {
	return {
		image_path: `${PREFIX}${fileName(number)}`,
		prompt_id: `p-${number}`,
		prompt: "a cat",
		classification: "Animals",
		image_amount_in_total: 1,
		rank: 1,
		overall_rating: 5,
		image_text_alignment_rating: 5,
		fidelity_rating: 5,
		...values,
	};
}

/** Rows `first` … `first + count - 1` of one prompt, ranks 1, 2, 3 … */
export function group(promptId: string, first: number, count: number): SourceRow[] {
	return Array.from({ length: count }, (_, at) =>
		row(first + at, { prompt_id: promptId, image_amount_in_total: count, rank: at + 1 }),
	);
}

/** Metadata as it is read: equal rows count as one. */
export function metadataOf(
	rows: MetadataRow[],
	unknownColumns: string[] = [],
	chosen: ShardMetadata["chosen"] = null,
): ShardMetadata {
	const byPath = new Map<string, MetadataRow[]>();
	for (const one of rows) {
		const path = String(one.image_path);
		byPath.set(path, [...(byPath.get(path) ?? []), one]);
	}
	return { rows: byPath, unknownColumns, sha256: hex("metadata"), chosen };
}

/** Checks rows against metadata that agrees with every well-formed one of them. */
export function check(values: unknown[], metadata?: MetadataRow[], unknownColumns: string[] = []): CheckedRows {
	const own = new Map(values.map((value) => [(value as SourceRow | null)?.image_path, value as SourceRow]));
	const rows = values.map((value) => ({ key: null, value }));
	return checkRows(rows, imageRewardDb, "train_1", metadataOf(metadata ?? [...own.values()], unknownColumns));
}

/** 64 hex digits, different for each name. */
export function hex(name: string): string {
	return Buffer.from(name.padEnd(32, ".")).toString("hex").slice(0, 64);
}

/** The verdict on a good image. */
export function goodImage(name: string, warnings: FindingCode[] = []): ImageResult {
	const sha256 = hex(name.slice(-16));
	return {
		bytes: 100,
		sha256,
		crc32: "0badcafe",
		reject: null,
		warnings: warnings.map((code) => ({ code, detail: "told by the test" })),
		image: {
			object_key: `objects/sha256/${sha256.slice(0, 2)}/${sha256}.webp`,
			sha256,
			bytes: 100,
			format: "webp",
			width: 8,
			height: 8,
			source_width: 8,
			source_height: 8,
			pixel_sha256: hex("pixels"),
			dhash: "0123456789abcdef",
		},
	};
}

export function badImage(code: FindingCode): ImageResult {
	return {
		...goodImage(code),
		reject: { code, detail: "told by the test" },
		image: null,
	};
}

/** Input of a shard that is a zip with this hash. */
export function zipInput(shard: string, sha256: string): ShardInput {
	const path = `images/${shard.split("_")[0]}/${shard}.zip`;
	return { form: "zip", file: { path, bytes: 1000, sha256, gitOid: null }, sha256, bytes: 1000 };
}

/** One row and one image, published. */
export function receipt(shard: string, work: string, values: Partial<Receipt> = {}): Receipt {
	const [split, number] = shard.split("_");
	const file = { path: `tables/images/split=${split}/shard=${number}/${hex(work).slice(0, 16)}.parquet` };
	return {
		format: 1,
		work_id: hex(work),
		shard,
		inputs: { zip_sha256: hex(`zip ${work}`), zip_bytes: 1000, metadata_rows_sha256: hex("rows") },
		settings: DEFAULT_SETTINGS,
		counts: {
			rows_in: 2,
			rows_published: 1,
			rows_rejected: 1,
			members_in: 3,
			members_published: 1,
			members_rejected: 1,
			orphans: 1,
			prompts: 1,
			pairs: 0,
			ties: 0,
			objects_bytes: 100,
		},
		findings: {},
		files: [{ table: "images", ...file, bytes: 500, sha256: hex(`${work} images`), rows: 1 }],
		...values,
	};
}

/** A snapshot of these receipts' shards, all read at `commit`. */
export function snapshot(number: number, commit: string | null, receipts: Receipt[]): Snapshot {
	const sum = { ...receipt("train_1", "none").counts };
	const tables = TABLE_NAMES.map((table) => {
		const files = receipts.flatMap((one) => one.files.filter((file) => file.table === table));
		return [table, { delta_version: number - 1, files: files.map(({ table: _, ...file }) => file) }];
	});
	return {
		format: 1,
		number,
		dataset: "imagereward-db",
		subset: "custom",
		source: { uri: "hf://zai-org/ImageRewardDB", revision: "main", commit, committed_at: null, metadata: [] },
		settings: DEFAULT_SETTINGS,
		shards: receipts.map(({ shard, work_id }) => ({
			shard,
			work_id,
			receipt: receiptFile.path(shard, work_id),
			commit,
		})),
		skipped: [],
		tables: Object.fromEntries(tables) as Snapshot["tables"],
		counts: { ...sum, shards: receipts.length, metadata_stray_rows: 0 },
	};
}

/** What the Hub lists at `commit`: these shards with these hashes. */
export function listing(commit: string, zips: Record<string, string>, values: Partial<Listing> = {}): Listing {
	return {
		uri: "hf://zai-org/ImageRewardDB",
		revision: "main",
		commit,
		committedAt: "2024-03-04T05:06:07Z",
		explicitCommit: false,
		shards: new Map(Object.entries(zips).map(([shard, sha256]) => [shard, zipInput(shard, sha256)])),
		metadata: new Map(),
		unknownZips: [],
		...values,
	};
}
