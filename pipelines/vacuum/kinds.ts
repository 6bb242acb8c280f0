/** What vacuum may delete, by the names that the lake's own files have, in the order of deletion. Others are left alone. */

export const KINDS = ["receipts", "table_files", "objects", "rejected"] as const;
export type Kind = (typeof KINDS)[number];

/** Where files of each kind lie, and what they are called. */
const NAMES: Record<Kind, { folder: string; name: RegExp }> = {
	receipts: { folder: "receipts", name: /^receipts\/[a-z]+\/[a-z]+_\d+\/[0-9a-f]{64}\.json$/ },
	table_files: { folder: "tables", name: /^tables\/[a-z]+\/split=[a-z]+\/shard=\d+\/[0-9a-f]{16}\.parquet$/ },
	objects: { folder: "objects", name: /^objects\/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}\.[a-z]+$/ },
	/** Bytes of images that stand in quarantine. */
	rejected: { folder: "rejected", name: /^rejected\/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}$/ },
};

export function folderOf(kind: Kind): string {
	return NAMES[kind].folder;
}

/** Null of a file that is none of vacuum's. */
export function kindOf(path: string): Kind | null {
	return KINDS.find((kind) => NAMES[kind].name.test(path)) ?? null;
}
