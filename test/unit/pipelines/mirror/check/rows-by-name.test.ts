import { describe, expect, test } from "@jest/globals";
import { entriesOf } from "../../../../../pipelines/mirror/check/json-error-place.js";
import { type JsonRow, parseRows } from "../../../../../pipelines/mirror/check/parse-json.js";
import { Random } from "../../../../tools/sample/random.js";

/** Rows that stand by file name come out as the text has them: each of them, in its order, under its own name. */

const parse = (text: string): JsonRow[] => parseRows(Buffer.from(text), "part-000001.json", "object");

/** Keys and values as the text itself has them. */
function slices(text: string): [key: string, value: string][] {
	return entriesOf(text).map(({ key, from, to }) => [key, text.slice(from, to).trim()]);
}

test("rows stand in the text's order, each by its name", () => {
	expect(parse('{"b.png": {"p": "x"}, "a.png": {"p": "y"}}')).toEqual([
		{ key: "b.png", value: { p: "x" } },
		{ key: "a.png", value: { p: "y" } },
	]);
});

describe("what the parser itself would lose", () => {
	test("of equal names each one counts", () => {
		expect(parse('{"a.png": {"seed": 1}, "b.png": {"seed": 2}, "a.png": {"seed": 3}}')).toEqual([
			{ key: "a.png", value: { seed: 1 } },
			{ key: "b.png", value: { seed: 2 } },
			{ key: "a.png", value: { seed: 3 } },
		]);
	});

	test("and of names that are equal only once their escapes are read", () => {
		expect(parse('{"a.png": 1, "\\u0061.png": 2}')).toEqual([
			{ key: "a.png", value: 1 },
			{ key: "a.png", value: 2 },
		]);
	});

	test("names that look like numbers keep their place", () => {
		const keys = ["b", "10", "2", "007", "-1", "1.5", "a", "0"];
		const text = `{${keys.map((key, at) => `"${key}": ${at}`).join(", ")}}`;
		expect(Object.keys(JSON.parse(text) as object)).not.toEqual(keys);
		expect(parse(text)).toEqual(keys.map((key, value) => ({ key, value })));
	});

	test("__proto__ is a name like any other", () => {
		expect(parse('{"__proto__": {"seed": 1}, "__proto__": {"seed": 2}}')).toEqual([
			{ key: "__proto__", value: { seed: 1 } },
			{ key: "__proto__", value: { seed: 2 } },
		]);
		expect(parse('{"__proto__": 1, "a": 2}').map(({ key }) => key)).toEqual(["__proto__", "a"]);
	});
});

describe("the entries of a text", () => {
	test.each<[string, string, [string, string][]]>([
		["none", " { } ", []],
		["without any space", '{"a":1,"b":[2]}', pairs("a", "1", "b", "[2]")],
		["among spaces of all kinds", ' {\n\t"a" :\r\n 1 , "b"\t:2 } \n', pairs("a", "1", "b", "2")],
		["whose values are texts", '{"a":"b","c":"d"}', pairs("a", '"b"', "c", '"d"')],
		["whose values are words", '{"a":null,"b":true,"c":-1.5e3}', pairs("a", "null", "b", "true", "c", "-1.5e3")],
		["empty inside", '{"a":{},"b":[]}', pairs("a", "{}", "b", "[]")],
		["with names again further in", '{"a":{"a":{"a":1},"b":2}}', pairs("a", '{"a":{"a":1},"b":2}')],
		["with lists of objects", '{"a":[{"b":1},{"c":[2,3]}],"d":4}', pairs("a", '[{"b":1},{"c":[2,3]}]', "d", "4")],
		["with marks inside of texts", '{"a":"},{:\\"[","b":1}', pairs("a", '"},{:\\"["', "b", "1")],
		["with marks inside of names", '{"},\\":{[":1,"b":2}', pairs('},":{[', "1", "b", "2")],
		["with escapes in names", '{"\\u00e9\\/\\\\\\n":1}', pairs("é/\\\n", "1")],
		["with a surrogate pair in a name", '{"\\ud83d\\ude00":1,"😀":2}', pairs("😀", "1", "😀", "2")],
		["with an empty name", '{"":1,"a":2}', pairs("", "1", "a", "2")],
	])("%s", (_, text, expected) => {
		expect(slices(text)).toEqual(expected);
	});

	test("nested deeper than the stack", () => {
		const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
		expect(slices(`{"a":${deep},"b":1}`)).toEqual(pairs("a", deep, "b", "1"));
	});
});

function pairs(...flat: string[]): [string, string][] {
	return flat.flatMap((key, at): [string, string][] => (at % 2 === 0 ? [[key, flat[at + 1] ?? ""]] : []));
}

describe("JSON_INVALID", () => {
	test.each([
		["an array", "[{}]", "holds no object of rows"],
		["null", "null", "holds no object of rows"],
		["a text", '"a.png"', "holds no object of rows"],
		["a number", "7", "holds no object of rows"],
		["no rows at all", "{}", "holds no rows at all"],
		["a trailing comma", '{"a.png": {},\n}', "is not JSON at line 2, column 1"],
		["a name without quotes", "{a: 1}", "is not JSON at line 1, column 2"],
	])("of %s", (_, text, told) => {
		expect(() => parse(text)).toThrow(
			expect.objectContaining({
				code: "JSON_INVALID",
				path: "part-000001.json",
				message: expect.stringContaining(`part-000001.json ${told}`),
			}),
		);
	});

	test("of an object where an array is due", () => {
		expect(() => parseRows(Buffer.from('{"a.png": {}}'), "x.json", "array")).toThrow("x.json holds no array of rows");
	});
});

test("a byte-order mark is accepted", () => {
	expect(parse('\ufeff{"2": "two", "1": "one"}')).toEqual([
		{ key: "2", value: "two" },
		{ key: "1", value: "one" },
	]);
});

const KEYS = ["a.png", "b.png", "1", "2", "10", "__proto__", "", 'quote " \\', "é😀\n\u0001", "},{:["];

function anyValue(random: Random, depth: number): unknown {
	const kind = random.int(0, depth > 2 ? 4 : 6);
	if (kind === 0) return random.int(-9, 9) / 4;
	if (kind === 1) return random.pick([null, true, false]);
	if (kind < 5) return random.pick(KEYS);
	const items = Array.from({ length: random.int(0, 3) }, () => anyValue(random, depth + 1));
	return kind === 5 ? items : Object.fromEntries(items.map((item, at) => [`${random.pick(KEYS)}${at}`, item]));
}

/** A name as some writer may have escaped it. */
function anySpelling(key: string, random: Random): string {
	const spelt = JSON.stringify(key);
	if (random.int(0, 2) > 0) return spelt;
	const units = Array.from({ length: key.length }, (_, at) => key.charCodeAt(at).toString(16).padStart(4, "0"));
	return `"${units.map((unit) => `\\u${unit}`).join("")}"`;
}

test("whatever the names and values are, the rows are those that were written", () => {
	for (let seed = 1; seed <= 1000; seed++) {
		const random = new Random(`rows-by-name/${seed}`);
		const rows = Array.from({ length: random.int(1, 6) }, () => {
			return { key: random.pick(KEYS), value: anyValue(random, 0) };
		});
		const space = () => random.pick(["", " ", "\n", "\t\r\n "]);
		const entries = rows.map(({ key, value }) => {
			return `${space()}${anySpelling(key, random)}${space()}:${space()}${JSON.stringify(value)}${space()}`;
		});
		expect({ seed, rows: parse(`{${entries.join(",")}}`) }).toEqual({ seed, rows });
	}
});
