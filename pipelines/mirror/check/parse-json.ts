import { LakeError } from "../../../schemas/errors.js";
import { entriesOf, firstFault } from "./json-error-place.js";

/** One row of a shard's JSON. */
export interface JsonRow {
	/** The image's file name, if the JSON is an object of rows by file name. */
	key: string | null;
	value: unknown;
}

/**
 * The rows of a shard's JSON, in its order. Throws JSON_INVALID, with line and column if there is such a place. A
 * byte-order mark is accepted. Of duplicate keys in a row, the last wins; duplicate file names each give a row.
 * @param form an array of rows, or an object of rows by file name
 */
export function parseRows(content: Buffer, path: string, form: "array" | "object"): JsonRow[] {
	let text: string;
	try {
		text = new TextDecoder("utf-8", { fatal: true }).decode(content);
	} catch (cause) {
		throw new LakeError("JSON_INVALID", `${path} is not UTF-8 text`, { path, cause });
	}
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		const { line, column, found } = firstFault(text);
		throw new LakeError("JSON_INVALID", `${path} is not JSON at line ${line}, column ${column}: ${found}`, {
			path,
			cause,
		});
	}
	const rows = rowsOf(value, text, form);
	if (rows === null) throw new LakeError("JSON_INVALID", `${path} holds no ${form} of rows`, { path });
	if (rows.length === 0) throw new LakeError("JSON_INVALID", `${path} holds no rows at all`, { path });
	return rows;
}

/** Null if the value does not have this form. */
function rowsOf(value: unknown, text: string, form: "array" | "object"): JsonRow[] | null {
	if (form === "array") return Array.isArray(value) ? value.map((row) => ({ key: null, value: row })) : null;
	if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
	const entries = Object.entries(value);
	// JSON.parse keeps one of several equal keys, and moves numeric keys to the front: then the text itself is read.
	const entriesInText = entriesOf(text);
	if (entriesInText.length === entries.length && entriesInText.every(({ key }, at) => key === entries[at]?.[0])) {
		return entries.map(([key, row]) => ({ key, value: row }));
	}
	return entriesInText.map(({ key, from, to }) => ({ key, value: JSON.parse(text.slice(from, to)) as unknown }));
}
