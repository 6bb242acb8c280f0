import { objectFile, receiptFile, rejectedFile, tableFile } from "./paths.js";

/** What vacuum may delete, in the order of deletion: a receipt goes before what it names. Others are left alone. */

export const KINDS = ["receipts", "table_files", "objects", "rejected"] as const;
export type Kind = (typeof KINDS)[number];

const FILES = { receipts: receiptFile, table_files: tableFile, objects: objectFile, rejected: rejectedFile };

/** Where files of a kind lie. */
export function folderOf(kind: Kind): string {
	return FILES[kind].folder;
}

/** Null of a file that is none of vacuum's. */
export function kindOf(path: string): Kind | null {
	return KINDS.find((kind) => FILES[kind].parse(path) !== null) ?? null;
}
