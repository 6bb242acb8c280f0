import { LakeError } from "../../../schemas/errors.js";
import { entriesOf, firstFault } from "./json-error-place.js";

/** One row as it stands in a shard's JSON. */
export interface JsonRow {
	/** The image's file name, where rows stand by that. */
	key: string | null;
	value: unknown;
}

/**
 * The rows of a shard's JSON, in its order. Throws JSON_INVALID with line and column, where there is a place.
 * A byte-order mark is accepted. Of a row's duplicate keys the last wins; of rows by file name each one counts.
 * @param form whether it is an array of rows, or an object of rows by file name
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

/** Null where the text is not of this form. */
function rowsOf(value: unknown, text: string, form: "array" | "object"): JsonRow[] | null {
	if (form === "array") return Array.isArray(value) ? value.map((row) => ({ key: null, value: row })) : null;
	if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
	const entries = Object.entries(value);
	// The parser keeps one of equal keys, and puts keys that are numbers first: then the text itself must tell.
	const told = entriesOf(text);
	if (told.length === entries.length && told.every(({ key }, at) => key === entries[at]?.[0])) {
		return entries.map(([key, row]) => ({ key, value: row }));
	}
	return told.map(({ key, from, to }) => ({ key, value: JSON.parse(text.slice(from, to)) as unknown }));
}
