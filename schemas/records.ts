import { z } from "zod";
import { FINDINGS, type FindingCode } from "./codes.js";
import { Settings } from "./settings.js";

/** The lake's records: receipts, snapshots, `latest.json`. What is not as described here is no record. */

export const LAKE_FORMAT = 1;

const count = z.int().nonnegative();
export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, "64 hex digits");
/** Which splits there are is the dataset's to say. */
const Split = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/, "a split's name");
/** `<split>_<n>` */
export const ShardName = z
	.string()
	.regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}_[1-9]\d{0,8}$/, "a shard's name: its split, _ and a number");
const TableName = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, "a table's name");

/** A path relative to the lake: no climbing, no absolute path, no backslash. */
export const LakePath = z
	.string()
	.regex(/^[A-Za-z0-9_][A-Za-z0-9_.=-]*(\/[A-Za-z0-9_][A-Za-z0-9_.=-]*)*$/, "a path inside the lake");

const findingCodes = Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]];

export const TableFile = z.object({ path: LakePath, bytes: count, sha256: Sha256, rows: count });
export type TableFile = z.infer<typeof TableFile>;

const ownCounts = {
	rows_in: count,
	rows_published: count,
	rows_rejected: count,
	members_in: count,
	members_published: count,
	members_rejected: count,
	orphans: count,
	/** Bytes of the shard's distinct objects. */
	objects_bytes: count,
	rows_unselected: count.optional(),
	members_unselected: count.optional(),
};

const CoreCounts = z.object(ownCounts);
/** What is counted of every dataset. */
export type CoreCounts = z.infer<typeof CoreCounts>;
/** Counts of one shard, the dataset's own among them; a snapshot sums them. */
export const Counts = CoreCounts.catchall(count.optional());
export type Counts = z.infer<typeof Counts>;

export const Receipt = z.object({
	format: z.literal(LAKE_FORMAT),
	work_id: Sha256,
	shard: ShardName,
	inputs: z.object({
		/** Null of an unpacked shard. */
		zip_sha256: Sha256.nullable(),
		zip_bytes: count.nullable(),
		/** With a predicate, of a zip: whether all of it was read and had its SHA-256; false where only parts were fetched. */
		zip_hash_checked: z.boolean().optional(),
		/** Of an unpacked shard: SHA-256 over its sorted names and hashes; else absent. */
		files_sha256: Sha256.optional(),
		metadata_rows_sha256: Sha256,
	}),
	settings: Settings,
	counts: Counts,
	findings: z.partialRecord(z.enum(findingCodes), count),
	files: z.array(TableFile.extend({ table: TableName })),
});
export type Receipt = z.infer<typeof Receipt>;

const MetadataFile = z.object({ split: Split, path: z.string(), sha256: Sha256, bytes: count });

export const Snapshot = z.object({
	format: z.literal(LAKE_FORMAT),
	number: z.int().positive(),
	dataset: z.string(),
	/** The subset whose shards are exactly those present, else `custom`. */
	subset: z.string(),
	source: z.object({
		uri: z.string(),
		revision: z.string().nullable(),
		commit: z.string().nullable(),
		/** `2024-03-04T05:06:07Z`; null of a folder. */
		committed_at: z.string().nullable(),
		metadata: z.array(MetadataFile),
	}),
	settings: Settings,
	shards: z.array(
		z.object({
			shard: ShardName,
			work_id: Sha256,
			receipt: LakePath,
			/** Commit at which the shard was last found so; null of a folder. */
			commit: z.string().nullable(),
		}),
	),
	skipped: z.array(z.object({ shard: ShardName, code: z.string(), detail: z.string() })),
	tables: z.record(TableName, z.object({ delta_version: count, files: z.array(TableFile) })),
	counts: z.object({ ...ownCounts, shards: count, metadata_stray_rows: count }).catchall(count.optional()),
});
export type Snapshot = z.infer<typeof Snapshot>;

export const Latest = z.object({
	format: z.literal(LAKE_FORMAT),
	number: z.int().positive(),
	snapshot: LakePath,
	sha256: Sha256,
});
export type Latest = z.infer<typeof Latest>;

function sorted(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(sorted);
	if (value === null || typeof value !== "object") return value;
	const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
	entries.sort(([a], [b]) => (a < b ? -1 : 1));
	return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}

/** A record as it is stored: sorted keys, two-space indent, final newline. */
export function recordText(record: unknown): string {
	return `${JSON.stringify(sorted(record), null, 2)}\n`;
}

/** The same on one line, for hashing and for Delta's log. */
export function canonicalJson(value: unknown): string {
	return JSON.stringify(sorted(value));
}
