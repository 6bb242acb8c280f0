import { LakeError } from "../../../schemas/errors.js";
import { firstBadOffset, lineAndColumn } from "./json-error-place.js";

/**
 * The elements of a shard's JSON array. Throws JSON_INVALID with line and column, where there is a place.
 * A byte-order mark is accepted; of duplicate keys the last wins.
 */
export function parseRows(content: Buffer, path: string): unknown[] {
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
		const offset = firstBadOffset(text);
		const { line, column } = lineAndColumn(text, offset);
		const found = offset < text.length ? `found ${JSON.stringify(text.charAt(offset))}` : "the text ends too early";
		throw new LakeError("JSON_INVALID", `${path} is not JSON at line ${line}, column ${column}: ${found}`, {
			path,
			cause,
		});
	}
	if (!Array.isArray(value)) throw new LakeError("JSON_INVALID", `${path} holds no array of rows`, { path });
	if (value.length === 0) throw new LakeError("JSON_INVALID", `${path} holds no rows at all`, { path });
	return value;
}
