import type { Reason } from "../mirror/plan/reasons.js";
import type { PlainRow } from "../ports/tables.js";
import type { Change, Changes, Listed, ValueChange } from "./changes.js";
import type { ImageChange } from "./pictures.js";

/** What differs between two versions of the data. Plain data; the command prints it. */

/** One of the two versions compared. For the source, what only a snapshot has is null. */
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

/** Something that cannot be known without a download. */
interface Unknown {
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

/** The same diff with both sides swapped. */
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
