import { FlowProducer, getNextMillis, type Job, type JobsOptions, Queue } from "bullmq";
import { LakeError } from "../../schemas/errors.js";
import {
	JobFailure,
	PublishJob,
	PublishResult,
	type RunRequest,
	ShardJob,
	ShardProgress,
	ShardResult,
	TickJob,
} from "../../schemas/jobs.js";
import type { QueueConnection } from "../wire.js";

/**
 * What is put on the queue, and what is read back from it. One queue for shards, one for publishes (a pause that the
 * Hub asks for must not hold them back), one for the schedules' ticks. This file and `consume.ts` alone know BullMQ.
 */

export const QUEUES = { shards: "shards", publish: "publish", ticks: "schedules" } as const;

/**
 * No limit at all, and yet the library must be given one: it asks whether the queue is paused only where there is a
 * limit (commands/moveToActive: with `queue.rateLimit()` alone the next job was taken 20 ms later).
 */
export const NO_LIMIT = { max: 1_000_000_000, duration: 1000 };

const DAY = 24 * 3600;
/** Ended jobs are kept for a person to look at; what is finished stands in the lake. */
const KEEP: JobsOptions = { removeOnComplete: { age: 7 * DAY }, removeOnFail: { age: 14 * DAY } };
const ATTEMPTS = 5;
/** `custom`: how long to wait is said in `consume.ts`. */
const RETRY: JobsOptions = { attempts: ATTEMPTS, backoff: { type: "custom" }, ...KEEP };

export type ShardState = "waiting" | "active" | "retrying" | "done" | "failed";

/** One shard of a run, as the queue has it. */
export interface ShardEntry {
	shard: string;
	state: ShardState;
	/** How often it failed and was tried again. */
	retries: number;
	progress: ShardProgress | null;
	result: ShardResult | null;
	failure: JobFailure | null;
}

/** A run, as the queue has it. */
export interface RunEntry {
	job: PublishJob;
	/** Milliseconds since 1970, by the clock of who put it there. */
	startedAt: number;
	publish: "waiting" | "active" | "done" | "failed";
	result: PublishResult | null;
	/** Why the publish failed; null also where it was not tried because a shard had failed. */
	failure: JobFailure | null;
	shards: ShardEntry[];
	/** Whether anything of it is still to be done. */
	live: boolean;
}

export interface Schedule {
	name: string;
	cron: string;
	tz: string | null;
	/** Milliseconds since 1970, or null. */
	next: number | null;
	request: RunRequest;
	lakeId: string;
}

/** Ids carry run and attempt: under the id of an earlier job, failed or lost, a new one would never run. */
export function publishId({ run, attempt }: { run: string; attempt: number }): string {
	return `${run}.${attempt}`;
}

function shardId(run: { run: string; attempt: number }, shard: string): string {
	return `${publishId(run)}.${shard}`;
}

/** The shard that a shard job's id or key ends with. */
export function shardOfKey(key: string): string {
	return key.slice(key.lastIndexOf(".") + 1);
}

/** Throws USAGE for a pattern that cannot be read. */
export function requireCron(cron: string, tz: string): void {
	try {
		if (getNextMillis(Date.now(), { pattern: cron, tz }) !== undefined) return;
	} catch {
		// Told below, in our own words.
	}
	throw new LakeError("USAGE", `--cron cannot be ${JSON.stringify(cron)}.`, {
		hint: "Give minute, hour, day of month, month and weekday, such as '0 3 * * *'.",
	});
}

export class FleetQueue {
	readonly #shards: Queue;
	readonly #publish: Queue;
	readonly #ticks: Queue;
	readonly #flows: FlowProducer;

	constructor({ redis, prefix }: QueueConnection) {
		const options = { connection: redis, prefix };
		this.#shards = new Queue(QUEUES.shards, options);
		this.#publish = new Queue(QUEUES.publish, options);
		this.#ticks = new Queue(QUEUES.ticks, options);
		this.#flows = new FlowProducer(options);
		// A lost connection is told by the connection itself.
		for (const one of [this.#shards, this.#publish, this.#ticks]) one.on("error", () => {});
		this.#flows.on("error", () => {});
	}

	/** Puts a run on the queue, whole or not at all: a job for each shard, and the publish that waits for them. */
	async addRun(publish: PublishJob, shards: ShardJob[]): Promise<void> {
		const skip = publish.request.on_shard_failure === "skip";
		const options: JobsOptions = skip ? { ignoreDependencyOnFailure: true } : { failParentOnFailure: true };
		await this.#flows.add({
			name: "publish",
			queueName: QUEUES.publish,
			data: PublishJob.parse(publish),
			opts: { jobId: publishId(publish), ...RETRY },
			children: shards.map((job) => ({
				name: job.shard,
				queueName: QUEUES.shards,
				data: ShardJob.parse(job),
				opts: { jobId: shardId(job, job.shard), ...RETRY, ...options },
			})),
		});
	}

	/** Null where the queue knows no such run. */
	async run(id: { run: string; attempt: number }): Promise<RunEntry | null> {
		const job = (await this.#publish.getJob(publishId(id))) as Job | undefined;
		return job ? this.#entry(job) : null;
	}

	/** The newest runs, the newest first; those that are no runs of this release are left out. */
	async recentRuns(count: number): Promise<RunEntry[]> {
		const jobs = (await this.#publish.getJobs()) as Job[];
		const newest = jobs.sort((a, b) => b.timestamp - a.timestamp).slice(0, count);
		const entries = await Promise.all(newest.map((job) => this.#entry(job)));
		return entries.filter((entry) => entry !== null);
	}

	/** Milliseconds that the Hub's wish to wait still holds back the shards; 0 when it does not. */
	async pausedFor(): Promise<number> {
		return Math.max(0, await this.#shards.getRateLimitTtl(NO_LIMIT.max));
	}

	/** Lets no worker take a shard for so long; a longer pause that is on already stays. */
	async pause(milliseconds: number): Promise<void> {
		if ((await this.pausedFor()) < milliseconds) await this.#shards.rateLimit(Math.ceil(milliseconds));
	}

	/** False where it was set so already. */
	async setSchedule(cron: string, tz: string | null, tick: TickJob): Promise<boolean> {
		const data = TickJob.parse(tick);
		const present = (await this.schedules()).find(({ name }) => name === tick.schedule);
		const wanted = { cron, tz, request: data.request, lakeId: data.lake_id };
		const was = present && { cron: present.cron, tz: present.tz, request: present.request, lakeId: present.lakeId };
		if (was && JSON.stringify(was) === JSON.stringify(wanted)) return false;
		const repeat = { pattern: cron, ...(tz === null ? {} : { tz }) };
		const opts = { ...RETRY, attempts: 3 };
		await this.#ticks.upsertJobScheduler(tick.schedule, repeat, { name: tick.schedule, data, opts });
		return true;
	}

	async schedules(): Promise<Schedule[]> {
		const all = await this.#ticks.getJobSchedulers(0, -1, true);
		return all.flatMap(({ key, pattern, tz, next, template }) => {
			const tick = TickJob.safeParse(template?.data);
			if (!tick.success || pattern === undefined) return [];
			const { request, lake_id: lakeId } = tick.data;
			return [{ name: key, cron: pattern, tz: tz ?? null, next: next ?? null, request, lakeId }];
		});
	}

	/** False where there is none of this name. */
	removeSchedule(name: string): Promise<boolean> {
		return this.#ticks.removeJobScheduler(name);
	}

	async close(): Promise<void> {
		await Promise.all([this.#shards.close(), this.#publish.close(), this.#ticks.close(), this.#flows.close()]);
	}

	async #entry(job: Job): Promise<RunEntry | null> {
		const data = PublishJob.safeParse(job.data);
		if (!data.success) return null;
		const shards = await Promise.all(data.data.todo.map((shard) => this.#shard(data.data, shard)));
		const ended = job.finishedOn !== undefined;
		const publish = !ended ? ((await job.isActive()) ? "active" : "waiting") : job.failedReason ? "failed" : "done";
		const allEnded = shards.every(({ state }) => state === "done" || state === "failed");
		return {
			job: data.data,
			startedAt: job.timestamp,
			publish,
			result: PublishResult.safeParse(job.returnvalue).data ?? null,
			failure: publish === "failed" ? readFailure(job.failedReason) : null,
			shards,
			live: !ended || !allEnded,
		};
	}

	async #shard(run: RunEntry["job"], shard: string): Promise<ShardEntry> {
		const job = (await this.#shards.getJob(shardId(run, shard))) as Job | undefined;
		const entry = { shard, retries: job?.attemptsMade ?? 0, result: null, failure: null };
		// A job that is gone was done long ago, or the queue was emptied by hand: there is nothing to wait for.
		if (!job) return { ...entry, state: "done", progress: null };
		const progress = ShardProgress.safeParse(job.progress).data ?? null;
		if (job.finishedOn !== undefined) {
			if (job.failedReason && !ShardResult.safeParse(job.returnvalue).success) {
				return { ...entry, state: "failed", progress, failure: readShardFailure(shard, job.failedReason) };
			}
			return { ...entry, state: "done", progress, result: ShardResult.safeParse(job.returnvalue).data ?? null };
		}
		const state = await job.getState();
		return { ...entry, state: state === "active" ? "active" : state === "delayed" ? "retrying" : "waiting", progress };
	}
}

/** Why a shard failed: the library itself gives a job up only when the workers that had it died too often. */
export function readShardFailure(shard: string, reason: string | undefined): JobFailure {
	return readFailure(reason) ?? lost(shard);
}

/** What `consume.ts` wrote as a job's reason; null for the library's own words. */
function readFailure(reason: string | undefined): JobFailure | null {
	try {
		return JobFailure.safeParse(JSON.parse(reason ?? "")).data ?? null;
	} catch {
		return null;
	}
}

function lost(shard: string): JobFailure {
	const message = `The workers that took ${shard} died, or lost it, too often.`;
	return {
		code: "WORKER_LOST",
		message,
		hint: "Look at the workers' memory and logs; then run again.",
		path: shard,
		exit: 1,
		findings: {},
		kept: null,
	};
}
