/**
 * Where a text stops being JSON (RFC 8259): the offset of the first character that cannot stand there.
 * Used only once `JSON.parse` has refused the text, since the engine gives no offset but in its message.
 */
export function firstBadOffset(text: string): number {
	const stack: ("{" | "[")[] = [];
	const token =
		// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids just these inside a string
		/[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;
	/** What may come next. */
	let expect: "value" | "first" | "key" | "firstKey" | "colon" | "after" = "value";
	for (;;) {
		const start = skipSpace(text, token.lastIndex);
		if (start >= text.length) return text.length;
		token.lastIndex = start;
		const match = token.exec(text);
		if (!match) return start + validPrefix(text, start);
		const [, mark, string, scalar] = match;
		const isValue = string !== undefined || scalar !== undefined;
		if (expect === "colon") {
			if (mark !== ":") return start;
			expect = "value";
		} else if (expect === "after") {
			const open = stack.at(-1);
			if (mark === "," && open) expect = open === "{" ? "key" : "value";
			else if ((mark === "}" && open === "{") || (mark === "]" && open === "[")) stack.pop();
			else return start;
		} else if (expect === "key" || expect === "firstKey") {
			if (string !== undefined) expect = "colon";
			else if (mark === "}" && expect === "firstKey") {
				stack.pop();
				expect = "after";
			} else return start;
		} else if (isValue) {
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

function skipSpace(text: string, from: number): number {
	let at = from;
	while (at < text.length && " \t\n\r".includes(text.charAt(at))) at++;
	return at;
}

/** How far a broken string goes well; every other broken token is bad from its first character. */
function validPrefix(text: string, start: number): number {
	if (text.charAt(start) !== '"') return 0;
	// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids just these inside a string
	const good = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
	good.lastIndex = start;
	return good.exec(text)?.[0].length ?? 0;
}

/** Line and column of an offset, both from 1. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
	const before = text.slice(0, offset);
	const lastBreak = before.lastIndexOf("\n");
	return { line: before.split("\n").length, column: offset - lastBreak };
}
