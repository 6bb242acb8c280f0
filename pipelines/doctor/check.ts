import { LakeError, systemCode } from "../../schemas/errors.js";

/** What one check found. `mend` says what to do; null where there is nothing to mend. */
export interface Verdict {
	state: "ok" | "warn" | "failed" | "skipped";
	detail: string;
	mend: string | null;
}

/** One thing that a mirror needs, and how it is looked at. It may throw: a LakeError is a failed check, with its hint. */
export interface Check {
	/** Stands in the document: lower case, `_`. */
	name: string;
	run(signal: AbortSignal): Promise<Verdict>;
}

export type CheckResult = { name: string } & Verdict;

export const ok = (detail: string): Verdict => ({ state: "ok", detail, mend: null });
export const warn = (detail: string, mend: string): Verdict => ({ state: "warn", detail, mend });
export const failed = (detail: string, mend: string): Verdict => ({ state: "failed", detail, mend });
export const skipped = (detail: string): Verdict => ({ state: "skipped", detail, mend: null });

/**
 * Runs all checks at once, each by itself: one that throws or hangs costs no other its verdict. Results stand in the
 * checks' order. Throws nothing but the signal's reason.
 */
export async function runChecks(checks: Check[], seconds: number, signal: AbortSignal): Promise<CheckResult[]> {
	const results = await Promise.all(
		checks.map(async ({ name, run }) => ({ name, ...(await runOne(run, seconds, signal)) })),
	);
	signal.throwIfAborted();
	return results;
}

async function runOne(run: Check["run"], seconds: number, signal: AbortSignal): Promise<Verdict> {
	try {
		return await bounded(run, seconds, signal);
	} catch (error) {
		return errorVerdict(error);
	}
}

/** A failed check, from whatever it threw; a library's own words are left out, for they may hold anything. */
export function errorVerdict(error: unknown): Verdict {
	if (error instanceof LakeError) return failed(error.message, error.hint);
	const what = systemCode(error) ?? (error instanceof Error ? error.name : "error");
	return failed(`The check itself failed (${what}).`, "Run with LOG_LEVEL=debug and report what it prints.");
}

/** Longest list of names in one sentence. */
const MOST_NAMES = 3;

/** `a, b, c and 4 more` */
export function someNames(names: string[]): string {
	const more = names.length - MOST_NAMES;
	return names.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/**
 * Resolves or rejects within the time, whether or not `work` minds its signal: a hanging network file system does not.
 * Throws CHECK_TIMED_OUT when the time is over, and the signal's reason when it fires.
 */
export async function bounded<T>(
	work: (signal: AbortSignal) => Promise<T>,
	seconds: number,
	signal: AbortSignal,
): Promise<T> {
	const own = new AbortController();
	const stop = (): void => own.abort(signal.reason);
	const tooLate = new LakeError("CHECK_TIMED_OUT", `No answer within ${seconds} s.`);
	const timer = setTimeout(() => own.abort(tooLate), seconds * 1000);
	signal.addEventListener("abort", stop, { once: true });
	if (signal.aborted) stop();
	const ended = new Promise<never>((_, reject) => {
		const end = (): void => reject(own.signal.reason);
		if (own.signal.aborted) end();
		own.signal.addEventListener("abort", end, { once: true });
	});
	try {
		return await Promise.race([work(own.signal), ended]);
	} finally {
		clearTimeout(timer);
		signal.removeEventListener("abort", stop);
	}
}
