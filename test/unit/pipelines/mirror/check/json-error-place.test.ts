import { describe, expect, test } from "@jest/globals";
import { firstBadOffset, lineAndColumn } from "../../../../../pipelines/mirror/check/json-error-place.js";
import { parseRows } from "../../../../../pipelines/mirror/check/parse-json.js";
import { row } from "../../../../support/values.js";
import { Random } from "../../../../tools/sample/random.js";

/** An error in a shard's JSON names the line and column where it stops being JSON. */

function isJson(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

describe("the place of", () => {
	/** `¦` stands where the first bad character is. */
	const places: [string, string][] = [
		["NaN", '[{"a": ¦NaN}]'],
		["Infinity", "[¦Infinity]"],
		["a minus alone", "[¦-]"],
		["a plus", "[¦+1]"],
		["a leading zero", "[0¦1]"],
		["a dot without digits", "[1¦.]"],
		["a trailing comma in an array", "[1,¦]"],
		["a trailing comma in an object", '{"a":1,¦}'],
		["a comma too many", "[1,¦,2]"],
		["a missing comma", '[{"a":1} ¦{"a":2}]'],
		["a missing colon", '{"a" ¦1}'],
		["a key without quotes", "{¦a:1}"],
		["single quotes", "[¦'a']"],
		["a closing bracket of the other kind", "[1¦}"],
		["a bracket too many", "[1]¦]"],
		["a second value", "[1] ¦[2]"],
		["a line break in a string", '["a¦\nb"]'],
		["an unknown escape", '["a¦\\x"]'],
		["a broken unicode escape", '["a¦\\u12g4"]'],
		["a comment", "[1, ¦// one\n2]"],
		["half a word", "[¦tru]"],
		["a word with more behind", "[true¦s]"],
		["a no-break space", "[1,¦\u00a02]"],
		["text cut in an array", "[1, 2¦"],
		["text cut in a string", '["abc¦'],
		["text cut after a colon", '{"a":¦'],
		["nothing at all", "¦"],
		["a lone byte-order mark inside", "[1,¦\ufeff2]"],
	];

	test.each(places)("%s", (_, marked) => {
		const text = marked.replace("¦", "");
		expect(isJson(text)).toBe(false);
		expect(firstBadOffset(text)).toBe(marked.indexOf("¦"));
	});
});

test("a string of many megabytes is no obstacle", () => {
	const text = `["${"long ".repeat(6_000_000)}", NaN]`;
	expect(firstBadOffset(text)).toBe(text.length - 4);
});

test("brackets nested deeper than the stack are no obstacle", () => {
	const text = "[".repeat(1_000_000);
	expect(firstBadOffset(`${text}}`)).toBe(1_000_000);
});

test("lines and columns count from 1", () => {
	const text = "ab\ncd\n\ne";
	expect([0, 2, 3, 6, 7].map((offset) => lineAndColumn(text, offset))).toEqual([
		{ line: 1, column: 1 },
		{ line: 1, column: 3 },
		{ line: 2, column: 1 },
		{ line: 3, column: 1 },
		{ line: 4, column: 1 },
	]);
});

const COMPLETIONS = ["", "0", '"k":0', ":0", '"', '":0'];

/** Whether some continuation makes the text JSON. Text that ends inside a word, a number or an escape counts as it is. */
function canGoOn(text: string): boolean {
	const open: string[] = [];
	let inString = false;
	for (let at = 0; at < text.length; at++) {
		const char = text.charAt(at);
		if (inString && char === "\\") at++;
		else if (char === '"') inString = !inString;
		else if (!inString && "[{".includes(char)) open.push(char === "[" ? "]" : "}");
		else if (!inString && "]}".includes(char)) open.pop();
	}
	const closers = open.reverse().join("");
	return COMPLETIONS.some((completion) => isJson(`${text}${completion}${closers}`));
}

const VALID = JSON.stringify([
	row(1, { prompt: 'a "cat"\n\\ \u0001é😀' }),
	{ deep: [[], {}, [1, -2.5e-3, true, false, null, ""]] },
]).replaceAll(",", " ,\n\t");
const PIECES = [
	"",
	",",
	":",
	'"',
	"[",
	"]",
	"{",
	"}",
	"NaN",
	"0",
	"-",
	"\\",
	"\\u00",
	" ",
	"\n",
	"\u0000",
	"e",
	"null",
];

function mutated(random: Random): string {
	let text = VALID;
	for (let change = 0; change < random.int(1, 3); change++) {
		const at = random.int(0, text.length - 1);
		text = text.slice(0, at) + random.pick(PIECES) + text.slice(at + random.int(0, 3));
	}
	return random.int(0, 4) === 0 ? text.slice(0, random.int(0, text.length)) : text;
}

test("for any damage: what JSON.parse accepts is read to the end, and up to the place it could have gone on", () => {
	const seen = { accepted: 0, refused: 0 };
	for (let seed = 1; seed <= 5000; seed++) {
		const text = mutated(new Random(`json-place/${seed}`));
		const offset = firstBadOffset(text);
		if (isJson(text)) {
			seen.accepted++;
			expect({ text, offset }).toEqual({ text, offset: text.length });
		} else {
			seen.refused++;
			expect({ text, offset, good: canGoOn(text.slice(0, offset)) }).toMatchObject({ text, offset, good: true });
		}
	}
	expect(seen.accepted).toBeGreaterThan(100);
	expect(seen.refused).toBeGreaterThan(1000);
});

describe("parseRows", () => {
	const parse = (text: string | Buffer) => parseRows(Buffer.from(text), "images/test/test_1/test_1.json", "array");

	test.each([
		["NaN", '[\n{"rank": NaN}]', "line 2, column 10"],
		["a trailing comma", "[\n{},\n]", "line 3, column 1"],
		["a cut text", "[\n{", "line 2, column 2"],
	])("names file, line and column of %s", (_, text, place) => {
		expect(() => parse(text)).toThrow(
			expect.objectContaining({
				code: "JSON_INVALID",
				path: "images/test/test_1/test_1.json",
				message: expect.stringContaining(`images/test/test_1/test_1.json is not JSON at ${place}`),
			}),
		);
	});

	test.each([
		["an object", '{"rows": []}'],
		["a text", '"rows"'],
		["null", "null"],
		["no rows at all", "[]"],
		["nothing", ""],
		["bytes that are no UTF-8", Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d])],
		["UTF-16", Buffer.from("\ufeff[1]", "utf16le")],
	])("refuses %s", (_, text) => {
		expect(() => parse(text)).toThrow(expect.objectContaining({ code: "JSON_INVALID" }));
	});

	test("accepts a byte-order mark, and of duplicate keys the last wins", () => {
		expect(parse('\ufeff[{"rank": 1, "rank": 2}]')).toEqual([{ key: null, value: { rank: 2 } }]);
	});
});
