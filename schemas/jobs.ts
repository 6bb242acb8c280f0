import { z } from "zod";
import { REJECT_RATIO, S3_ENCRYPTIONS, SHARD_FAILURE_MODES } from "./bounds.js";
import { ERRORS, type ErrorCode, FINDINGS, type FindingCode } from "./codes.js";
import { Sha256, ShardName } from "./records.js";
import { RequestedSettings, Settings } from "./settings.js";

/**
 * What goes through the queue, checked when it is put in and when it is taken out. References only: no data, no token,
 * and no path but those of a source and a lake that all machines share.
 */

/** Raised when a payload's meaning changes; a worker hands back jobs of a newer version than its own. */
export const JOB_FORMAT = 1;

const reference = z.string().min(1).max(4096);
const count = z.int().nonnegative();

/** A request to mirror that any worker can carry out. Two equal requests are the same run. */
export const RunRequest = z.strictObject({
	/** `hf://owner/name@revision`, or `file:///absolute/path` on every worker. */
	source: reference,
	/** An absolute path, or the address of a store. */
	lake: reference,
	/** Its name; absent of the first of those that a program knows, which was the only one. */
	dataset: z.string().min(1).max(64).optional(),
	wanted: z.array(ShardName).min(1).max(1000),
	settings: RequestedSettings,
	new_settings: z.boolean(),
	prune: z.boolean(),
	single_writer: z.boolean(),
	/** How a lake on S3 is encrypted: names only, no keys. */
	s3_sse: z.enum(S3_ENCRYPTIONS).optional(),
	s3_sse_kms_key_id: reference.optional(),
	rehash: z.boolean(),
	on_shard_failure: z.enum(SHARD_FAILURE_MODES),
	max_reject_ratio: z.number().min(REJECT_RATIO.least).max(REJECT_RATIO.most),
	/** Absent in jobs of an earlier release. */
	keep_rejected: z.boolean().default(false),
});
export type RunRequest = z.infer<typeof RunRequest>;

/** The commit that a run is pinned to; null if the source is a folder. */
const Pin = z
	.strictObject({
		repo: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
		commit: z.string().regex(/^[0-9a-f]{40}$/),
		committed_at: z.string().nullable(),
	})
	.nullable();

/** `20260102-030405-a1b2c3`: without `:`, which the queue reserves. */
const RunId = z.string().regex(/^\d{8}-\d{6}-[0-9a-f]{6}$/);

const run = {
	format: z.literal(JOB_FORMAT),
	run: RunId,
	/** 1, plus one for each time the same run had to be put back on an emptied queue. */
	attempt: z.int().min(1).max(99),
	lake_id: z.uuid(),
	pipeline_version: z.int(),
	/** As chosen when the run was planned; workers may not choose anew. */
	settings: Settings,
	request: RunRequest,
	pin: Pin,
};

export const ShardJob = z.strictObject({ ...run, shard: ShardName, work_id: Sha256 });
export type ShardJob = z.infer<typeof ShardJob>;

export const PublishJob = z.strictObject({ ...run, todo: z.array(ShardName).max(1000) });
export type PublishJob = z.infer<typeof PublishJob>;

/** Fields that both kinds of a run's jobs have. */
export type RunJob = Omit<PublishJob, "todo">;

/** A schedule's tick: plan, and enqueue a run if there is anything to do. */
export const TickJob = z.strictObject({
	format: z.literal(JOB_FORMAT),
	schedule: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/),
	lake_id: z.uuid(),
	request: RunRequest,
});
export type TickJob = z.infer<typeof TickJob>;

/** Progress of a shard, reported while it runs. */
export const ShardProgress = z.strictObject({
	bytes: count,
	bytes_done: count,
	images: count,
	images_done: count,
	/** Bytes fetched over the network. */
	fetched: count,
	worker: z.string(),
});
export type ShardProgress = z.infer<typeof ShardProgress>;

export const ShardResult = z.strictObject({
	/** `reused`: another process had already done it; `kept`: the lake has the shard from a later commit. */
	state: z.enum(["done", "reused", "kept"]),
	fetched: count,
});
export type ShardResult = z.infer<typeof ShardResult>;

export const PublishResult = z.strictObject({
	state: z.enum(["published", "up_to_date"]),
	/** Path in the lake. */
	snapshot: z.string().nullable(),
	number: z.int().nullable(),
	fetched: count,
});
export type PublishResult = z.infer<typeof PublishResult>;

export const TickResult = z.strictObject({
	state: z.enum(["enqueued", "up_to_date", "joined", "busy"]),
	run: RunId.nullable(),
});
export type TickResult = z.infer<typeof TickResult>;

const codes = [...Object.keys(ERRORS), ...Object.keys(FINDINGS)] as [ErrorCode, ...ErrorCode[]];
const findingCodes = Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]];

/** Why a job failed: the error with everything that a command reports of it. */
export const JobFailure = z.strictObject({
	code: z.enum(codes),
	message: z.string(),
	hint: z.string(),
	path: z.string().nullable(),
	exit: z.union([z.literal(1), z.literal(2)]),
	findings: z.partialRecord(z.enum(findingCodes), count),
	/** `host:/path` of the findings and the zip that the shard left. */
	kept: z.string().nullable(),
});
export type JobFailure = z.infer<typeof JobFailure>;

/** The run that holds a lake; one record for each lake id. */
export const LakeClaim = z.strictObject({
	run: RunId,
	attempt: z.int(),
	/** SHA-256 of the request. */
	request: Sha256,
	/** Seconds, by the queue server's clock. */
	claimed: z.number(),
});
export type LakeClaim = z.infer<typeof LakeClaim>;

/** A worker's report about itself, every few seconds. */
export const WorkerInfo = z.strictObject({
	id: z.string(),
	host: z.string(),
	pid: z.int(),
	version: z.string(),
	pipeline_version: z.int(),
	started_at: z.string(),
	concurrency: z.int(),
	shards: z.array(z.strictObject({ run: z.string(), lake: z.string(), shard: z.string() })),
	bytes_per_second: z.number(),
	images_per_second: z.number(),
	/** A note to the operator, such as that it hands back work of another version. */
	note: z.string().nullable(),
});
export type WorkerInfo = z.infer<typeof WorkerInfo>;
