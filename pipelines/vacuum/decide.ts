import { KINDS, type Kind } from "../lake/kinds.js";
import type { LakeFile } from "../ports/store.js";

/** Deciding what may go. Plain data in, plain data out; no I/O. Times are milliseconds by the storage's clock. */

export interface Retention {
	/** How many of the newest snapshots stay. */
	keep: number;
	/** Those that are younger stay as well; in milliseconds. */
	keepYounger: number;
	/** What was marked goes so much later; what nobody names yet is not marked sooner. In milliseconds. */
	grace: number;
}

/** A receipt that was never published may belong to a mirror that has been under way for so many graces. */
export const UNPUBLISHED_GRACES = 7;

/**
 * The oldest snapshot that stays: it, and every later one.
 * @param latest the number that `latest.json` names
 * @param modified when each number's record was written
 */
export function oldestKept(
	latest: number,
	modified: Map<number, number>,
	{ keep, keepYounger }: Retention,
	now: number,
): number {
	let oldest = Math.max(1, latest - keep + 1);
	for (const [number, time] of modified) if (number < oldest && now - time < keepYounger) oldest = number;
	return oldest;
}

/** The lake's files, and who names them. */
export interface Holdings {
	files: Record<Kind, LakeFile[]>;
	/** Receipts and table files of the snapshots that stay, and of those that may yet be claimed. */
	named: Set<string>;
	/** Receipts and table files of every snapshot that was published, gone ones too. */
	published: Set<string>;
}

/** Whether a file that nothing needs may go. */
export type May = (file: LakeFile, kind: Kind) => boolean;

/** Which files may be marked: not those that a mirror under way may have just made, nor those that are marked already. */
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

/** Which files may be swept: those that were marked and not written again since. */
export function sweepable(marked: Set<string>, markedAt: number): May {
	return ({ path, modified }) => marked.has(path) && modified < markedAt;
}

/** Receipts that may go. Each that stays keeps what it names, published or not. */
export function goingReceipts({ files, named }: Holdings, may: May): LakeFile[] {
	return files.receipts.filter((file) => !named.has(file.path) && may(file, "receipts"));
}

/**
 * Everything that may go, in the order of deletion.
 * @param receipts those that go
 * @param needed every table file, object and rejected member that something needs
 */
export function goingFiles({ files }: Holdings, receipts: LakeFile[], needed: Set<string>, may: May): LakeFile[] {
	const others = KINDS.filter((kind) => kind !== "receipts").flatMap((kind) =>
		files[kind].filter((file) => !needed.has(file.path) && may(file, kind)),
	);
	return [...receipts, ...others];
}
