import { objectFile, receiptFile, rejectedFile, tableFile } from "./paths.js";

/** The kinds of file that vacuum may delete, in the order of deletion: a receipt goes before the files it names. */

export const FILE_KINDS = ["receipts", "table_files", "objects", "rejected"] as const;
export type FileKind = (typeof FILE_KINDS)[number];

const FILES = { receipts: receiptFile, table_files: tableFile, objects: objectFile, rejected: rejectedFile };

/** The folder with all files of a kind. */
export function kindFolder(kind: FileKind): string {
	return FILES[kind].folder;
}

/** Null for a file that vacuum must leave alone. */
export function fileKind(path: string): FileKind | null {
	return FILE_KINDS.find((kind) => FILES[kind].parse(path) !== null) ?? null;
}
