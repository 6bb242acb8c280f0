/**
 * The system's error code (`ENOENT`, `ENOSPC`, …) of anything thrown, else null. Unlike `instanceof Error`, it knows
 * the errors of Node's own modules in every realm, a test runner's among them.
 */
export function systemCode(error: unknown): string | null {
	if (typeof error !== "object" || error === null || !("code" in error)) return null;
	return typeof error.code === "string" ? error.code : null;
}
