/** Error messages are sentences: they begin with a capital (or a value, or a flag) and end with a full stop. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { FINDINGS } from "../../schemas/codes.js";
import { ROOT } from "../support/root.js";

const SENTENCE = /^(?:[A-Z"]|\$\{|--[a-z]).*\.$/s;

/** Codes of failed runs and shards. Their messages stand in published snapshots, so they stay as they are. */
const RECORDED = new Set(
	Object.entries(FINDINGS).flatMap(([code, { level }]) => (level === "run" || level === "shard" ? [code] : [])),
);

interface Message {
	line: number;
	text: string;
}

/** Index of the bracket that closes the one at `open`, or of the quote that ends a literal. */
function endOf(source: string, open: number): number {
	const quote = source[open] as string;
	const literal = /["'`]/.test(quote);
	for (let at = open + 1; at < source.length; at++) {
		const char = source[at] as string;
		if (literal) {
			if (char === quote) return at;
			if (char === "\\") at++;
			else if (quote === "`" && source.startsWith("${", at)) at = endOf(source, at + 1);
		} else if (/[)\]}]/.test(char)) return at;
		else if (/["'`([{]/.test(char)) at = endOf(source, at);
	}
	return source.length;
}

/** Splits `source` from `start` on at commas that lie in no brackets and no literal, up to a closing bracket or `;`. */
function expressions(source: string, start: number): string[] {
	const found: string[] = [];
	let from = start;
	for (let at = start; at < source.length; at++) {
		const char = source[at] as string;
		if (/["'`([{]/.test(char)) at = endOf(source, at);
		else if (/[,;)\]}]/.test(char)) {
			found.push(source.slice(from, at).trim());
			if (char !== ",") return found;
			from = at + 1;
		}
	}
	return found;
}

/** The literals that an expression may come to, without their quotes; of a name, those of the constant that it stands for. */
function literals(expression: string, before: string): string[] {
	const declared = /^\w+$/.test(expression) ? before.lastIndexOf(`const ${expression} = `) : -1;
	if (declared >= 0) {
		const value = declared + `const ${expression} = `.length;
		return literals(expressions(before, value)[0] ?? "", "");
	}
	const found: string[] = [];
	for (let at = 0; at < expression.length; at++) {
		if (!/["'`([{]/.test(expression[at] as string)) continue;
		const end = endOf(expression, at);
		const chosen = /(?:^|[?:]\s*)$/.test(expression.slice(0, at));
		if (chosen && /["'`]/.test(expression[at] as string)) found.push(expression.slice(at + 1, end));
		at = end;
	}
	return found;
}

/** Every literal message that is given to a LakeError, unless its code is RECORDED. What is computed is not seen. */
function messagesOf(source: string): Message[] {
	return [...source.matchAll(/new LakeError\(/g)].flatMap(({ index, 0: call }) => {
		const before = source.slice(0, index);
		const [code = "", message = ""] = expressions(source, index + call.length);
		const codes = literals(code, before);
		if (codes.length > 0 && codes.every((one) => RECORDED.has(one))) return [];
		return literals(message, before).map((text) => ({ line: before.split("\n").length, text }));
	});
}

function sources(): { path: string; source: string }[] {
	return ["schemas", "pipelines", "workers", "infra"].flatMap((folder) => {
		const paths = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
		return paths
			.filter((path) => path.endsWith(".ts"))
			.map((path) => ({ path: `${folder}/${path}`, source: readFileSync(join(ROOT, folder, path), "utf8") }));
	});
}

test("every error message is a sentence", () => {
	const bad = sources()
		.flatMap(({ path, source }) => messagesOf(source).map(({ line, text }) => ({ where: `${path}:${line}`, text })))
		.filter(({ text }) => !SENTENCE.test(text));
	expect(bad).toEqual([]);
});

test("the messages are found: nearly all of some two hundred", () => {
	const calls = sources().flatMap(({ source }) => source.match(/new LakeError\(/g) ?? []);
	const found = sources().flatMap(({ source }) => messagesOf(source));
	expect(found.length).toBeGreaterThan(calls.length * 0.8);
});

describe("what is found", () => {
	test.each([
		["a literal", 'throw new LakeError("USAGE", "no sentence");', ["no sentence"]],
		[
			"a template, with brackets and quotes in it",
			"new LakeError(code, `a $" + '{f(`b`, ")")} c`, {})',
			["a $" + '{f(`b`, ")")} c'],
		],
		["both ends of a condition", 'new LakeError("USAGE", a === "x" ? "One." : "two")', ["One.", "two"]],
		["a constant", 'const said = `so`;\n\tconst other = 1;\n\tnew LakeError("USAGE", said, { path })', ["so"]],
		["none of a failed shard", 'new LakeError("ZIP_CORRUPT", "as it is recorded")', []],
		["none where the message is computed", 'new LakeError("USAGE", error.message)', []],
	])("%s", (_, source, texts) => {
		expect(messagesOf(source).map(({ text }) => text)).toEqual(texts);
	});

	test.each([
		["The file a.zip is gone.", true],
		[`\${path} is gone.`, true],
		["--where cannot be read.", true],
		["the file is gone.", false],
		["The file is gone", false],
	])("%s", (text, sentence) => {
		expect(SENTENCE.test(text)).toBe(sentence);
	});
});
