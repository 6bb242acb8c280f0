import { appendFile, readFile } from "node:fs/promises";
import { ExportedFile } from "../../../schemas/export.js";
import { isAbsent } from "../store/folder/paths.js";

/** The files that an export has finished, a line each, so that it can resume after being killed. */

/** Appends a finished file. */
export async function recordFinished(journal: string, file: ExportedFile): Promise<void> {
	await appendFile(journal, `${JSON.stringify(file)}\n`);
}

/** The files that were finished and still have their size. @param sizeOf a file's size; null if absent */
export async function readFinished(
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

/** Null for a torn line, as a crash leaves one. */
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

/** Readers take an export for complete if they find one of these, so they are published last. */
export const COMPLETION_FILES: ReadonlySet<string> = new Set(["README.md", "index.json", "export.json"]);
