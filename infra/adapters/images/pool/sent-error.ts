import type { ErrorCode } from "../../../../schemas/codes.js";
import { LakeError } from "../../../../schemas/errors.js";

/** An error as plain values. */
export interface SentError {
	code: ErrorCode;
	message: string;
	path: string | null;
	hint: string;
	exit: 1 | 2;
	retry: boolean;
	/** What the library said, for the debug log. */
	cause: string | null;
}

/** Anything thrown, as plain values; all but LakeErrors become INTERNAL. */
export function sendError(error: unknown): SentError {
	const known =
		error instanceof LakeError ? error : new LakeError("INTERNAL", "An image thread failed.", { cause: error });
	const { code, message, path, hint, exit, retry, cause } = known;
	return { code, message, path, hint, exit, retry, cause: cause === undefined ? null : String(cause) };
}

/** The error that was sent. */
export function receiveError(sent: SentError): LakeError {
	const { code, message, path, hint, exit, retry, cause } = sent;
	return new LakeError(code, message, {
		hint,
		exit,
		retry,
		...(path === null ? {} : { path }),
		...(cause === null ? {} : { cause }),
	});
}
