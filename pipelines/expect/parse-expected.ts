import { LakeError } from "../../schemas/errors.js";
import { type ExpectedFinding, expectedFinding } from "../../schemas/expected.js";
import type { Dataset } from "../dataset.js";
import { elementOffsets, firstFault, lineAndColumn } from "../mirror/check/json-error-place.js";
import { splitNames } from "../splits.js";
import { shown } from "../text.js";

/**
 * The entries of an `--expect` file: a JSON array of objects, or one object a line; none for an empty file.
 * Throws USAGE, naming file and line.
 */
export function parseExpected(content: Buffer, file: string, dataset: Dataset): ExpectedFinding[] {
	const schema = expectedFinding({ group: dataset.group, splits: splitNames(dataset) });
	let text: string;
	try {
		text = new TextDecoder("utf-8", { fatal: true }).decode(content);
	} catch (cause) {
		throw wrong(file, null, "it is not UTF-8 text", cause);
	}
	if (text.trimStart().startsWith("[")) {
		const values = parseJson(text, file, 1) as unknown[]; // it begins with a bracket
		return values.map((value, at) => parseEntry(schema, value, file, () => lineOfElement(text, at)));
	}
	return text.split("\n").flatMap((line, at) => {
		if (line.trim() === "") return [];
		return parseEntry(schema, parseJson(line, file, at + 1), file, () => at + 1);
	});
}

function parseJson(text: string, file: string, firstLine: number): unknown {
	try {
		return JSON.parse(text);
	} catch (cause) {
		const { line, column, found } = firstFault(text);
		throw wrong(file, firstLine + line - 1, `no JSON at column ${column}: ${found}`, cause);
	}
}

function parseEntry(
	schema: ReturnType<typeof expectedFinding>,
	value: unknown,
	file: string,
	line: () => number,
): ExpectedFinding {
	const parsed = schema.safeParse(value);
	if (parsed.success) return parsed.data;
	const [issue] = parsed.error.issues;
	if (issue?.code === "unrecognized_keys") {
		throw wrong(file, line(), `it has fields that no finding has: ${issue.keys.map((key) => shown(key)).join(", ")}`);
	}
	const field = issue?.path[0];
	if (field === undefined) throw wrong(file, line(), `an entry cannot be ${shown(value)}: it must be an object`);
	const given = (value as Record<PropertyKey, unknown>)[field]; // an object: it has a field that is wrong
	const what = given === undefined ? `${String(field)} is missing` : `${String(field)} cannot be ${shown(given)}`;
	throw wrong(file, line(), `${what}: ${issue?.message}`);
}

function lineOfElement(text: string, element: number): number {
	return lineAndColumn(text, elementOffsets(text)[element] ?? 0).line;
}

function wrong(file: string, line: number | null, why: string, cause?: unknown): LakeError {
	const where = line === null ? file : `${file}, line ${line}`;
	const hint = "docs/quarantine.md shows how such a file looks, and how to make one from a lake.";
	return new LakeError("USAGE", `--expect cannot be read: ${where}: ${why}.`, { path: file, hint, cause });
}
