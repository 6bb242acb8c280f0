const MARKS = "{}[],:";
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** `end` is the offset after the token; of a bad one, that of the first character that cannot stand there. */
interface Token {
	kind: "mark" | "string" | "scalar" | "bad";
	end: number;
}

/**
 * Where a text stops being JSON (RFC 8259): the offset of the first character that cannot stand there.
 * Used only once `JSON.parse` has refused the text, since the engine gives no offset but in its message.
 */
export function firstBadOffset(text: string): number {
	const stack: ("{" | "[")[] = [];
	/** What may come next. */
	let expect: "value" | "first" | "key" | "firstKey" | "colon" | "after" = "value";
	for (let at = 0; ; ) {
		const start = skipSpace(text, at);
		if (start >= text.length) return text.length;
		const { kind, end } = tokenAt(text, start);
		// A broken string counts up to its break only where a string may stand at all.
		if (kind === "bad") return expect === "colon" || expect === "after" ? start : end;
		at = end;
		const mark = kind === "mark" ? text.charAt(start) : null;
		if (expect === "colon") {
			if (mark !== ":") return start;
			expect = "value";
		} else if (expect === "after") {
			const open = stack.at(-1);
			if (mark === "," && open) expect = open === "{" ? "key" : "value";
			else if ((mark === "}" && open === "{") || (mark === "]" && open === "[")) stack.pop();
			else return start;
		} else if (expect === "key" || expect === "firstKey") {
			if (kind === "string") expect = "colon";
			else if (mark === "}" && expect === "firstKey") {
				stack.pop();
				expect = "after";
			} else return start;
		} else if (mark === null) {
			expect = "after";
		} else if (mark === "{" || mark === "[") {
			stack.push(mark);
			expect = mark === "{" ? "firstKey" : "first";
		} else if (mark === "]" && expect === "first") {
			stack.pop();
			expect = "after";
		} else return start;
	}
}

/** Where each element of an array begins, of a text that `JSON.parse` has accepted. */
export function elementOffsets(text: string): number[] {
	const offsets: number[] = [];
	let depth = 0;
	let next = false;
	for (let at = skipSpace(text, 0); at < text.length; ) {
		const { kind, end } = tokenAt(text, at);
		const mark = kind === "mark" ? text.charAt(at) : null;
		if (next && mark !== "]") {
			offsets.push(at);
			next = false;
		}
		if (mark === "[" || mark === "{") depth++;
		if (mark === "]" || mark === "}") depth--;
		if (depth === 1 && (mark === "," || offsets.length === 0)) next = true;
		at = skipSpace(text, end);
	}
	return offsets;
}

/** The entries of an object, each with where its value stands, of a text that `JSON.parse` has accepted. */
export function entriesOf(text: string): { key: string; from: number; to: number }[] {
	const entries: { key: string; from: number; to: number }[] = [];
	let depth = 0;
	let key: string | null = null;
	let from = -1;
	for (let at = skipSpace(text, 0); at < text.length; ) {
		const { kind, end } = tokenAt(text, at);
		const mark = kind === "mark" ? text.charAt(at) : null;
		if (mark === "]" || mark === "}") depth--;
		const ends = (depth === 1 && mark === ",") || depth === 0;
		if (ends && key !== null) {
			entries.push({ key, from, to: at });
			key = null;
		} else if (depth === 1 && key === null && kind === "string") {
			key = JSON.parse(text.slice(at, end)) as string;
			from = -1;
		} else if (depth === 1 && key !== null && mark === ":" && from === -1) {
			from = end;
		}
		if (mark === "[" || mark === "{") depth++;
		at = skipSpace(text, end);
	}
	return entries;
}

function skipSpace(text: string, from: number): number {
	let at = from;
	while (at < text.length && " \t\n\r".includes(text.charAt(at))) at++;
	return at;
}

/** A broken string is bad from where it breaks, every other broken token from its first character. */
function tokenAt(text: string, start: number): Token {
	const first = text.charAt(start);
	if (MARKS.includes(first)) return { kind: "mark", end: start + 1 };
	if (first === '"') return stringAt(text, start);
	SCALAR.lastIndex = start;
	return SCALAR.test(text) ? { kind: "scalar", end: SCALAR.lastIndex } : { kind: "bad", end: start };
}

/** Character by character: a regular expression for the whole runs out of stack in a string of many megabytes. */
function stringAt(text: string, start: number): Token {
	let at = start + 1;
	while (at < text.length) {
		const code = text.charCodeAt(at);
		if (code === 0x22) return { kind: "string", end: at + 1 };
		if (code < 0x20) return { kind: "bad", end: at };
		if (code === 0x5c) {
			ESCAPE.lastIndex = at;
			if (!ESCAPE.test(text)) return { kind: "bad", end: at };
			at = ESCAPE.lastIndex;
		} else at++;
	}
	return { kind: "bad", end: at };
}

/** Line and column of an offset, both from 1. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
	const before = text.slice(0, offset);
	const lastBreak = before.lastIndexOf("\n");
	return { line: before.split("\n").length, column: offset - lastBreak };
}

/** Where a text stops being JSON, and what stands there, as messages say it. */
export function firstFault(text: string): { line: number; column: number; found: string } {
	const offset = firstBadOffset(text);
	const found = offset < text.length ? `found ${JSON.stringify(text.charAt(offset))}` : "the text ends too early";
	return { ...lineAndColumn(text, offset), found };
}
