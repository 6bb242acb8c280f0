import type { ZipEntry } from "./zip-directory.js";

const MIB = 1 << 20;
const MAX_ENTRY_BYTES = 256 * MIB;
const MAX_ENTRIES = 100_000;
const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

/** What is unsafe about an entry's name, or null. A trailing slash marks a folder. */
function nameFault(name: string): string | null {
	if (name === "") return "has an empty name";
	if (name.includes("\0")) return "has a NUL in its name";
	if (name.includes("\\")) return "has a backslash in its name";
	if (name.startsWith("/") || /^[a-z]:/i.test(name)) return "has an absolute name";
	const segments = (name.endsWith("/") ? name.slice(0, -1) : name).split("/");
	if (segments.includes("..")) return "has a name that climbs out of its folder";
	if (segments.some((segment) => segment === "" || segment === ".")) return "has an empty step in its name";
	return null;
}

/**
 * What is unsafe about an entry by itself, or null. The mode counts whatever system the entry claims to come from, since
 * not all readers check that claim.
 */
function entryFault(entry: ZipEntry): string | null {
	const named = nameFault(entry.name);
	if (named !== null) return named;
	const type = entry.mode & FILE_TYPE;
	if (type !== 0 && type !== REGULAR && type !== FOLDER) return "is a link or another special file";
	if (entry.ref.bytes > MAX_ENTRY_BYTES) return "claims more than 256 MiB";
	return null;
}

/** Names with equal keys are one file on some file systems. */
function nameKey(name: string): string {
	const plain = (name.endsWith("/") ? name.slice(0, -1) : name).normalize("NFC");
	// Lower, upper, lower: JavaScript's nearest to Unicode's full case folding (ẞ, ß and ss are equal).
	return plain.toLowerCase().toUpperCase().toLowerCase().normalize("NFC");
}

/** Collects entries while the directory is read, so that a bomb is refused before it fills memory. */
export class EntryList {
	readonly entries: ZipEntry[] = [];
	readonly #seen = new Set<string>();
	readonly #maxBytes: number;
	#bytes = 0;

	constructor(zipBytes: number) {
		this.#maxBytes = 4 * zipBytes + 64 * MIB;
	}

	/** Adds an entry, or says in a clause what is unsafe about it; null where nothing is. */
	take(entry: ZipEntry): string | null {
		const fault = entryFault(entry);
		if (fault !== null) return fault;
		const key = nameKey(entry.name);
		if (this.#seen.has(key)) return "has the same name as another (letter case and Unicode form aside)";
		this.#seen.add(key);
		this.entries.push(entry);
		if (this.entries.length > MAX_ENTRIES) return "is one more than 100,000";
		this.#bytes += entry.ref.bytes;
		if (this.#bytes > this.#maxBytes) return "brings the sizes to over four times the zip's and 64 MiB";
		return null;
	}
}

/** Bytes of the zip that belong to an entry, or to the zip's own records (`name` null); `end` is exclusive. */
export interface Span {
	name: string | null;
	start: number;
	end: number;
}

/** The first two spans that overlap, or null. */
export function overlap(spans: Span[]): [Span, Span] | null {
	const sorted = spans.filter((span) => span.end > span.start).sort((a, b) => a.start - b.start);
	let furthest: Span | null = null;
	for (const span of sorted) {
		if (furthest !== null && span.start < furthest.end) return [furthest, span];
		if (furthest === null || span.end > furthest.end) furthest = span;
	}
	return null;
}
