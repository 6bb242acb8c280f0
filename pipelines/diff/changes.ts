import type { Reason } from "../mirror/plan/decide.js";
import type { PlainRow } from "../ports/tables.js";

/** What differs between two versions of the data. Plain data; the command prints it. */

export type Change = "added" | "removed" | "changed";

/** How many there are, and the first of them, as many as were asked for. */
export interface Listed<T> {
	count: number;
	first: T[];
}

export type Changes<T> = Record<Change, Listed<T>>;

/** One of the two that are compared. Of the source, what only a snapshot has is null. */
export interface Side {
	what: "snapshot" | "source";
	number: number | null;
	/** Path in the lake. */
	snapshot: string | null;
	uri: string;
	revision: string | null;
	commit: string | null;
	committed_at: string | null;
	/** Shards that failed and were skipped when the snapshot was published. */
	skipped: string[];
}

/** Something that has one value before and another after; null where it has none. */
export interface ValueChange {
	name: string;
	before: string | number | null;
	after: string | number | null;
}

export interface ShardChange {
	shard: string;
	change: Change;
	/** Of a changed one. */
	why: Reason[];
	/** Work ids. */
	before: string | null;
	after: string | null;
}

export interface RowChange {
	shard: string;
	key: PlainRow;
	/** Of a changed row: the columns that differ. */
	columns: ValueChange[];
}

/** The bytes of an image, as far as they are known without reading it; of the source's, nothing is stored. */
export interface ImageBytes {
	object_key: string | null;
	/** Of the original. */
	source_sha256: string | null;
	source_bytes: number | null;
	crc32: string | null;
}

/** A picture that came, went, or has other bytes. */
export interface ImageChange {
	image_path: string;
	before: ImageBytes | null;
	after: ImageBytes | null;
}

/** Something that cannot be known without downloading. */
export interface Unknown {
	shard: string;
	what: "images" | "rows" | "columns";
	/** How many, where that is known. */
	count: number | null;
	why: string;
}

export interface Diff {
	equal: boolean;
	before: Side;
	after: Side;
	settings: ValueChange[];
	shards: ShardChange[];
	/** By table between two snapshots; of the metadata between a snapshot and the source. */
	rows: Record<string, Changes<RowChange>>;
	images: Changes<ImageChange>;
	/** Counts of the snapshots. */
	counts: ValueChange[];
	/** Findings by code. */
	findings: ValueChange[];
	unknown: Unknown[];
}

export function noChanges<T>(): Changes<T> {
	return { added: { count: 0, first: [] }, removed: { count: 0, first: [] }, changed: { count: 0, first: [] } };
}

/** Counts one more, and keeps it while there are fewer than `limit`. */
export function note<T>(list: Listed<T>, item: T, limit: number): void {
	list.count += 1;
	if (list.first.length < limit) list.first.push(item);
}

/** The keys whose values differ, in their order; those of one side only among them. */
export function valueChanges(
	before: Record<string, string | number | null | undefined>,
	after: Record<string, string | number | null | undefined>,
): ValueChange[] {
	const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
	return names.flatMap((name) => {
		const values = { before: before[name] ?? null, after: after[name] ?? null };
		return values.before === values.after ? [] : [{ name, ...values }];
	});
}

/** The same, seen from the other side. */
export function reversed(diff: Diff): Diff {
	const turned = <T extends { before: unknown; after: unknown }>(one: T): T => ({
		...one,
		before: one.after,
		after: one.before,
	});
	const turnedList = <T>(changes: Changes<T>, turn: (one: T) => T): Changes<T> => {
		const each = ({ count, first }: Listed<T>): Listed<T> => ({ count, first: first.map(turn) });
		return { added: each(changes.removed), removed: each(changes.added), changed: each(changes.changed) };
	};
	const other = { added: "removed", removed: "added", changed: "changed" } as const;
	const rows = Object.entries(diff.rows).map(([table, changes]) => {
		return [table, turnedList(changes, (row) => ({ ...row, columns: row.columns.map(turned) }))] as const;
	});
	return {
		...turned(diff),
		settings: diff.settings.map(turned),
		shards: diff.shards.map((shard) => ({ ...turned(shard), change: other[shard.change] })),
		rows: Object.fromEntries(rows),
		images: turnedList(diff.images, turned),
		counts: diff.counts.map(turned),
		findings: diff.findings.map(turned),
	};
}
