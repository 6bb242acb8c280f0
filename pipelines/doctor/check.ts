import { LakeError, systemCode } from "../../schemas/errors.js";
import { failed, type Verdict } from "./verdict.js";

/** A check of something that a mirror needs. If it throws a LakeError, it has failed, with that error's hint. */
export interface Check {
	/** As in the document: lower case, `_`. */
	name: string;
	run(signal: AbortSignal): Promise<Verdict>;
}

export type CheckResult = { name: string } & Verdict;

/**
 * Runs all checks at once and independently: one that throws or hangs does not affect the others. Results are in the
 * checks' order. Throws the signal's reason only.
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

/** The failed verdict for anything thrown. A library's message is left out, since it may contain secrets. */
function errorVerdict(error: unknown): Verdict {
	if (error instanceof LakeError) return failed(error.message, error.hint);
	const what = systemCode(error) ?? (error instanceof Error ? error.name : "error");
	return failed(`The check itself failed (${what}).`, "Run with LOG_LEVEL=debug and report what it prints.");
}

/**
 * Settles within the time even if `work` ignores its signal, as a hanging network file system does. Throws CHECK_TIMED_OUT
 * when the time is up, and the signal's reason when it aborts.
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
