import { link, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "../../schemas/errors.js";

/** What failed work leaves in `<scratch>/failed/<name>` for a person to look at. */
interface Leftovers {
	/** The error's message. */
	error: string;
	/** Findings, one JSON a line. */
	findings: string[];
	/** A downloaded zip, and the name that it is kept under. */
	zip: { path: string; name: string } | null;
}

/** The folder in which they are kept. */
function failedFolder(scratch: string, name: string): string {
	return join(scratch, "failed", name);
}

/** Keeps them, and returns their folder. Throws the system's error. */
export async function keepFailed(scratch: string, name: string, { error, findings, zip }: Leftovers): Promise<string> {
	const folder = failedFolder(scratch, name);
	await mkdir(folder, { recursive: true });
	await writeFile(join(folder, "findings.jsonl"), findings.map((line) => `${line}\n`).join(""));
	await writeFile(join(folder, "error.txt"), `${error}\n`);
	if (zip === null) return folder;
	try {
		// A second name costs no space, and the next run still finds the download under its first one.
		await link(zip.path, join(folder, zip.name));
	} catch (cause) {
		if (systemCode(cause) !== "EEXIST") throw cause;
	}
	return folder;
}

/** Removes what an earlier, failed attempt at the same work had left. */
export async function forgetFailed(scratch: string, name: string): Promise<void> {
	await rm(failedFolder(scratch, name), { recursive: true, force: true });
}
