/** The result of a check. `mend` says what to do; null if there is nothing to do. */
export interface Verdict {
	state: "ok" | "warn" | "failed" | "skipped";
	detail: string;
	mend: string | null;
}

export const ok = (detail: string): Verdict => ({ state: "ok", detail, mend: null });
export const warn = (detail: string, mend: string): Verdict => ({ state: "warn", detail, mend });
export const failed = (detail: string, mend: string): Verdict => ({ state: "failed", detail, mend });
export const skipped = (detail: string): Verdict => ({ state: "skipped", detail, mend: null });

/** Names listed in one sentence. */
const MAX_NAMES = 3;

/** `a, b, c and 4 more` */
export function someNames(names: string[]): string {
	const more = names.length - MAX_NAMES;
	return names.slice(0, MAX_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
