import { appendFile, readFile } from "node:fs/promises";
import { ExportedFile } from "../../../schemas/export.js";
import { isAbsent } from "../store/folder/paths.js";

/** What an export has finished: a line for each file, so that it can go on after it was killed. */

/** Adds a finished file. */
export async function note(journal: string, file: ExportedFile): Promise<void> {
	await appendFile(journal, `${JSON.stringify(file)}\n`);
}

/** The files that were finished and are there in that size. @param sizeOf a file's size, null where it is absent */
export async function finished(
	journal: string,
	sizeOf: (path: string) => Promise<number | null>,
): Promise<Map<string, ExportedFile>> {
	const text = (await readFile(journal, "utf8").catch(nullIfAbsent)) ?? "";
	const found = new Map<string, ExportedFile>();
	for (const line of text.split("\n")) {
		const file = parseLine(line);
		if (file && (await sizeOf(file.path)) === file.bytes) found.set(file.path, file);
	}
	return found;
}

/** Null of a torn line, where the machine stopped while it was written. */
function parseLine(line: string): ExportedFile | null {
	try {
		return ExportedFile.parse(JSON.parse(line));
	} catch {
		return null;
	}
}

export function nullIfAbsent(error: unknown): null {
	if (isAbsent(error)) return null;
	throw error;
}

/** Whoever finds one of these takes the rest for whole. */
export const VOUCHING: ReadonlySet<string> = new Set(["README.md", "index.json", "export.json"]);
