/** Kinds of files that vacuum may delete, in the order of deletion. Files with other names are left alone. */

export const KINDS = ["receipts", "table_files", "objects", "rejected"] as const;
export type Kind = (typeof KINDS)[number];

/** Folder and names of each kind. */
const NAMES: Record<Kind, { folder: string; name: RegExp }> = {
	receipts: { folder: "receipts", name: /^receipts\/[a-z]+\/[a-z]+_\d+\/[0-9a-f]{64}\.json$/ },
	table_files: { folder: "tables", name: /^tables\/[a-z]+\/split=[a-z]+\/shard=\d+\/[0-9a-f]{16}\.parquet$/ },
	objects: { folder: "objects", name: /^objects\/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}\.[a-z]+$/ },
	/** Bytes of quarantined images. */
	rejected: { folder: "rejected", name: /^rejected\/sha256\/[0-9a-f]{2}\/[0-9a-f]{64}$/ },
};

export function folderOf(kind: Kind): string {
	return NAMES[kind].folder;
}

/** Null for a file that vacuum leaves alone. */
export function kindOf(path: string): Kind | null {
	return KINDS.find((kind) => NAMES[kind].name.test(path)) ?? null;
}
