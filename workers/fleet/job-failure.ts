import { hostname } from "node:os";
import { ShardFailed } from "../../pipelines/mirror/shard.js";
import { LakeError } from "../../schemas/errors.js";
import type { JobFailure } from "../../schemas/jobs.js";

/** How a job can end but well, and how that goes through the queue. */

/** The job is not for this worker, or not now: it goes back to the queue at once, and costs no attempt. */
export class HandBack extends Error {
	/** Whether this worker should leave the queue to others for a while. */
	readonly unfit: boolean;

	constructor(reason: string, unfit: boolean) {
		super(reason);
		this.unfit = unfit;
		this.name = "HandBack";
	}
}

/** The job is another worker's by now: nothing more may be done about it. */
export class LockLost extends Error {
	constructor(reason: string) {
		super(reason);
		this.name = "LockLost";
	}
}

export function failureOf(error: unknown): JobFailure {
	const known = error instanceof LakeError ? error : unexpected(error);
	const { code, message, hint, path, exit } = known;
	const shard = known instanceof ShardFailed ? known : null;
	const kept = shard?.kept ? `${hostname()}:${shard.kept}` : null;
	return { code, message, hint, path, exit, findings: shard?.findings ?? {}, kept };
}

function unexpected(error: unknown): LakeError {
	const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
	return new LakeError("INTERNAL", `Something unexpected happened: ${text}.`, { cause: error });
}

export function errorOf({ code, message, hint, path, exit }: JobFailure): LakeError {
	return new LakeError(code, message, { hint, exit, ...(path === null ? {} : { path }) });
}

/** The error of a failed shard, as the in-process runner has it. */
export function shardErrorOf(shard: string, failure: JobFailure): ShardFailed {
	return new ShardFailed(errorOf(failure), shard, failure.findings, failure.kept);
}

/** Whether another attempt can end otherwise. What the source itself has wrong cannot. */
export function canRetry(error: unknown): boolean {
	return error instanceof LakeError ? error.retry : !(error instanceof TypeError);
}

/** Seconds before attempt `n + 1`: 2, doubled up to 120, by a random half less so that workers do not come all at once. */
export function retryDelay(failures: number, random: () => number): number {
	return Math.min(120, 2 ** failures) * (0.5 + random() / 2);
}
