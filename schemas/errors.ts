import { aboutCode, type ErrorCode } from "./codes.js";

interface Details {
	/** The file, object or row that the error is about. */
	path?: string;
	/** What to do, if the code's own advice is too general. */
	hint?: string;
	/** The library's own error; shown only with LOG_LEVEL=debug. */
	cause?: unknown;
	/** Overrides the code's own exit code. */
	exit?: 1 | 2;
	/** Overrides whether a later retry can succeed. */
	retry?: boolean;
	/** Seconds to wait before a retry, if the server said so. */
	waitSeconds?: number;
}

/** An error with a stable code; `message` is a sentence in our own words, with capital and full stop. */
export class LakeError extends Error {
	readonly code: ErrorCode;
	readonly path: string | null;
	readonly hint: string;
	readonly exit: 1 | 2;
	readonly retry: boolean;
	readonly waitSeconds: number | null;

	constructor(code: ErrorCode, message: string, details: Details = {}) {
		super(message, details.cause === undefined ? undefined : { cause: details.cause });
		const about = aboutCode(code);
		this.name = "LakeError";
		this.code = code;
		this.path = details.path ?? null;
		this.hint = details.hint ?? about.todo;
		this.exit = details.exit ?? about.exit;
		this.retry = details.retry ?? about.retry;
		this.waitSeconds = details.waitSeconds ?? null;
	}
}

/**
 * The system's error code (`ENOENT`, `ENOSPC`, …) of anything thrown, else null. Unlike `instanceof Error`, it knows
 * the errors of Node's own modules in every realm, a test runner's among them.
 */
export function systemCode(error: unknown): string | null {
	if (typeof error !== "object" || error === null || !("code" in error)) return null;
	return typeof error.code === "string" ? error.code : null;
}
