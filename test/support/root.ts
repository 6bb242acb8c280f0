import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The checkout's folder, seen from the compiled file dist/test/support/root.js. */
export const ROOT: string = resolve(import.meta.dirname, "../../..");

/** The folder of real ImageReward data beside the checkout, or null where it is absent. */
export const REAL_DATA: string | null = (() => {
	const folder = resolve(ROOT, "../shared/data/imagereward");
	return existsSync(folder) ? folder : null;
})();

/** A new empty folder, and the function that removes it. */
export function tempDir(name: string): { path: string; remove: () => void } {
	const path = mkdtempSync(join(tmpdir(), `irlake-${name}-`));
	return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
