/** What the pool, the image host and its threads say to each other: plain values, never pixels or image bytes. */

import type { ImageResult, ImageTask } from "../../../../pipelines/ports/images.js";
import type { StagePlace } from "../../../../pipelines/ports/store.js";
import type { ErrorCode } from "../../../../schemas/codes.js";
import { LakeError } from "../../../../schemas/errors.js";
import type { Settings } from "../../../../schemas/settings.js";

/** Where objects are staged. Null where nothing is ever kept. */
export type StageOptions = StagePlace | null;

export interface HostOptions {
	threads: number;
	budgetBytes: number;
	stage: StageOptions;
}

/** What a thread is started with. */
export interface ThreadOptions extends HostOptions {
	budget: SharedArrayBuffer;
}

export interface Job {
	id: number;
	task: ImageTask;
	settings: Settings;
	/** Decoded by the arbiter only. */
	careful: boolean;
}

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

export type Answer = { id: number; result: ImageResult } | { id: number; error: SentError };

/** Pool to host, once it is ready. Its HostOptions are its only argument, as JSON. */
export type ToHost = { jobs: Job[] };

/** Host to pool. */
export type FromHost = { ready: true } | { answers: Answer[] };

/** Host to thread. */
export type ToThread = Job[];

/** Thread to host: `started` once; then answers in any order, and how many more jobs it can take. */
export type FromThread = { started: true } | { answers: Answer[]; room: number };

/** Anything thrown, as plain values; what is no LakeError is a defect. */
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
