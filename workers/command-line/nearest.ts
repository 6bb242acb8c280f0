/** "Did you mean": the nearest of the known words, for what was mistyped. */

/** More edits than these are another word. */
const MOST_EDITS = 3;

/** The candidate that the fewest edits make of the text; null where none is like it. */
export function nearest(text: string, candidates: Iterable<string>): string | null {
	let best: string | null = null;
	let least = Math.min(MOST_EDITS, Math.floor(text.length / 2)) + 1;
	for (const candidate of candidates) {
		const edits = editDistance(text.toLowerCase(), candidate.toLowerCase());
		if (edits < least) [best, least] = [candidate, edits];
	}
	return best;
}

/** Letters to insert, remove or replace (Levenshtein). */
function editDistance(from: string, to: string): number {
	let row = Array.from({ length: to.length + 1 }, (_, at) => at);
	for (let i = 1; i <= from.length; i++) {
		const next = [i];
		for (let j = 1; j <= to.length; j++) {
			const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
			next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
		}
		row = next;
	}
	return row[to.length] ?? 0;
}

/** The question whether the nearest candidate was meant, and a blank; "" where nothing is near. */
export function didYouMean(text: string, candidates: Iterable<string>): string {
	const meant = nearest(text, candidates);
	return meant === null ? "" : `Did you mean ${meant}? `;
}

/** `1k, 2k or 4k` */
export function orList(words: readonly string[]): string {
	const last = words.at(-1) ?? "";
	return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
}
