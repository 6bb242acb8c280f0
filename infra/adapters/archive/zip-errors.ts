import { LakeError } from "../../../schemas/errors.js";

/** An entry's name for a message: control and format characters escaped, at most 120 characters. */
export function shown(name: string): string {
	const escaped = Array.from(name.slice(0, 400), (char) =>
		/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}"\\]/u.test(char) ? `\\u{${char.codePointAt(0)?.toString(16)}}` : char,
	);
	let text = "";
	for (const char of escaped) {
		if (text.length + char.length > 119) return `${text}…`;
		text += char;
	}
	return text;
}

/** The error for an unsafe or corrupt zip; `zip` is its name in the source (`test_1.zip`), `detail` a clause about it. */
export function zipError(code: "ZIP_UNSAFE" | "ZIP_CORRUPT", zip: string, detail: string, cause?: unknown): LakeError {
	return new LakeError(code, `${zip}: ${detail}.`, { path: zip, cause });
}
