import { KINDS, type Kind } from "../lake/kinds.js";
import type { LakeFile } from "../ports/store.js";
import type { Retention } from "./retention.js";

/** Decides what may be deleted. Plain data in and out, no I/O. Times are milliseconds by the storage's clock. */

/** A receipt that was never published may belong to a mirror that has been running for this many grace times. */
const UNPUBLISHED_GRACES = 7;

/** The lake's files, and those that snapshots name. */
export interface Holdings {
	files: Record<Kind, LakeFile[]>;
	/** Receipts and table files of the snapshots that stay, and of those that may still be claimed. */
	named: Set<string>;
	/** Receipts and table files of every published snapshot, deleted ones included. */
	published: Set<string>;
}

/** Whether a file that nothing needs may be deleted. */
export type May = (file: LakeFile, kind: Kind) => boolean;

/** Which files may be marked: none that a running mirror may just have made, and none that are marked already. */
export function markable(
	{ published }: Pick<Holdings, "published">,
	marked: Set<string>,
	{ grace }: Retention,
	now: number,
): May {
	return ({ path, modified }, kind) => {
		if (marked.has(path)) return false;
		if (published.has(path)) return true;
		return now - modified >= (kind === "receipts" ? grace * UNPUBLISHED_GRACES : grace);
	};
}

/** Which files may be swept: those that were marked and have not been written again since. */
export function sweepable(marked: Set<string>, markedAt: number): May {
	return ({ path, modified }) => marked.has(path) && modified < markedAt;
}

/** Receipts that may be deleted. Every other receipt keeps what it names, whether it was published or not. */
export function goingReceipts({ files, named }: Holdings, may: May): LakeFile[] {
	return files.receipts.filter((file) => !named.has(file.path) && may(file, "receipts"));
}

/**
 * Everything that may be deleted, in the order of deletion.
 * @param receipts the receipts to be deleted
 * @param needed every table file, object and rejected member that something needs
 */
export function goingFiles({ files }: Holdings, receipts: LakeFile[], needed: Set<string>, may: May): LakeFile[] {
	const others = KINDS.filter((kind) => kind !== "receipts").flatMap((kind) =>
		files[kind].filter((file) => !needed.has(file.path) && may(file, kind)),
	);
	return [...receipts, ...others];
}
