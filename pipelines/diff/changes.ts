/** Lists of what was added, removed and changed. Plain data. */

export type Change = "added" | "removed" | "changed";

/** How many there are, and the first of them, up to the limit asked for. */
export interface Listed<T> {
	count: number;
	first: T[];
}

export type Changes<T> = Record<Change, Listed<T>>;

/** A value before and after; null where there is none. */
export interface ValueChange {
	name: string;
	before: string | number | null;
	after: string | number | null;
}

export function noChanges<T>(): Changes<T> {
	return { added: { count: 0, first: [] }, removed: { count: 0, first: [] }, changed: { count: 0, first: [] } };
}

/** Counts an item, and keeps it if there are fewer than `limit`. */
export function addTo<T>(list: Listed<T>, item: T, limit: number): void {
	list.count += 1;
	if (list.first.length < limit) list.first.push(item);
}

/** The keys whose values differ, in their order, including those that only one side has. */
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
