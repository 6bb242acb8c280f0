/** Order by Unicode code points, which is also the order of the UTF-8 bytes. */
export function byCodePoint(a: string, b: string): number {
	const length = Math.min(a.length, b.length);
	for (let at = 0; at < length; at++) {
		const left = a.charCodeAt(at);
		const right = b.charCodeAt(at);
		if (left === right) continue;
		// Surrogates encode code points above those of all other UTF-16 units.
		const leftPair = left >= 0xd800 && left <= 0xdfff;
		const rightPair = right >= 0xd800 && right <= 0xdfff;
		if (leftPair !== rightPair) return leftPair ? 1 : -1;
		return left - right;
	}
	return a.length - b.length;
}

/** The same order for values that may be null; null comes first. */
export function nullsFirst(a: string | null, b: string | null): number {
	if (a === null || b === null) return Number(a !== null) - Number(b !== null);
	return byCodePoint(a, b);
}

/** A value as JSON; null if it is nested too deep for the stack. */
export function jsonText(value: unknown): string | null {
	try {
		return JSON.stringify(value);
	} catch {
		return null;
	}
}

/** A value for a message: JSON, cut at `most` characters. */
export function shown(value: unknown, most = 60): string {
	const text = value === undefined ? "nothing" : (jsonText(value) ?? "nested too deeply to be shown");
	return text.length > most ? `${text.slice(0, most)}…` : text;
}
