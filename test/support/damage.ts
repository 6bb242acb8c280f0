/** Damage of each kind that `verify --repair` makes good, whatever holds the lake. */

export interface Damage {
	/** What verify calls it. */
	code: string;
	path: string;
	/** The content that is put in its place; null: nothing. */
	change: (content: Buffer) => Buffer | null;
}

const gone = (): null => null;
const empty = (): Buffer => Buffer.alloc(0);
const longer = (content: Buffer): Buffer => Buffer.concat([content, Buffer.from("x")]);
const half = (content: Buffer): Buffer => content.subarray(0, content.length >> 1);

function flipped(content: Buffer): Buffer {
	const changed = Buffer.from(content);
	const middle = changed.length >> 1;
	changed[middle] = (changed[middle] ?? 0) ^ 1;
	return changed;
}

/** Five objects, and a file of each table; those of `images` and some of the objects are of one shard. @param paths all of the lake's */
export function everyDamage(paths: string[]): Damage[] {
	const objects = paths.filter((path) => path.startsWith("objects/")).sort();
	const file = (table: string): string =>
		paths.filter((path) => path.startsWith(`tables/${table}/split=`)).sort()[0] ?? "";
	const kinds = [
		["OBJECT_MISSING", gone],
		["OBJECT_SIZE", empty],
		["OBJECT_SIZE", longer],
		["OBJECT_SIZE", half],
		["OBJECT_HASH", flipped],
	] as const;
	return [
		...kinds.map(([code, change], at) => ({ code, change, path: objects[at] ?? "" })),
		{ code: "FILE_HASH", path: file("images"), change: flipped },
		{ code: "FILE_MISSING", path: file("prompts"), change: gone },
		{ code: "FILE_SIZE", path: file("pairs"), change: half },
		{ code: "FILE_HASH", path: file("quarantine"), change: flipped },
	];
}
