import { type Job, RateLimitError, UnrecoverableError, WaitingError, Worker, type WorkerOptions } from "bullmq";
import type { z } from "zod";
import type { Progress } from "../../pipelines/ports/run.js";
import { LakeError } from "../../schemas/errors.js";
import {
	JOB_FORMAT,
	type JobFailure,
	PublishJob,
	PublishResult,
	ShardJob,
	type ShardProgress,
	ShardResult,
	TickJob,
	TickResult,
} from "../../schemas/jobs.js";
import type { QueueConnection } from "../wire.js";
import { canRetry, failureOf, HandBack, LockLost, retryDelay } from "./job-failure.js";
import { type FleetQueue, NO_LIMIT, QUEUES, readShardFailure, shardOfKey } from "./queue.js";

/** Takes jobs from the queues and gives each its end: locks, retries, pauses, handing back. Knows nothing of shards. */

/** A job whose worker says nothing for so long is another's. The work is in threads and processes of its own, so the timer runs. */
const LOCK_MS = 30_000;
const RENEW_MS = 10_000;
/** How often the queue looks for jobs whose lock ran out. A shard of a dead worker is taken over within lock plus interval. */
const STALLED_MS = 15_000;
/** A shard that takes its worker down each time must end some time; losing a worker now and then must not end it. */
const MAX_STALLED = 25;
/** How long an aborted job may take to let go before its job is handed back under it. */
const UNWIND_MS = 2_000;
/** Seconds that an unfit worker leaves the queue to others: doubled each time, up to a minute. */
const UNFIT_SECONDS = [5, 10, 20, 40, 60];

/** What a job's work is given besides its payload. */
export interface JobLock {
	signal: AbortSignal;
	/** Throws LockLost unless the job is still this worker's, as the queue itself says where there is any doubt. */
	stillMine(): Promise<void>;
	progress(progress: ShardProgress): Promise<void>;
}

interface Handlers {
	shard(job: ShardJob, lock: JobLock): Promise<ShardResult>;
	/** @param failures of the run's shards that were allowed to fail */
	publish(job: PublishJob, failures: Map<string, JobFailure>, lock: JobLock): Promise<PublishResult>;
	tick(job: TickJob, lock: JobLock): Promise<TickResult>;
}

interface ConsumerOptions {
	connection: QueueConnection;
	queue: FleetQueue;
	concurrency: number;
	handlers: Handlers;
	note: Progress["note"];
	/** Told why this worker is not fit for the queue's jobs; null when it is again. */
	unfit(reason: string | null): void;
}

/** One queue's jobs: what they hold, what they come to, and their work. */
interface JobKind<In, Out> {
	payload: z.ZodType<In>;
	result: z.ZodType<Out>;
	handle(data: In, lock: JobLock, job: Job): Promise<Out>;
}

/** A job that this worker has taken, by the lock's token. */
interface HeldJob {
	job: Job;
	token: string;
	abort: AbortController;
}

interface Running {
	abort: AbortController;
	ended: Promise<unknown>;
}

export class Consumer {
	readonly #options: ConsumerOptions;
	readonly #workers: Worker[];
	readonly #running = new Set<Running>();
	#unfitCount = 0;
	#stopping = false;
	#cooling: NodeJS.Timeout | null = null;

	constructor(options: ConsumerOptions) {
		this.#options = options;
		const { handlers, concurrency } = options;
		this.#workers = [
			this.#worker(QUEUES.shards, concurrency, {
				payload: ShardJob,
				result: ShardResult,
				handle: (data, lock) => handlers.shard(data, lock),
			}),
			this.#worker(QUEUES.publish, 1, {
				payload: PublishJob,
				result: PublishResult,
				handle: async (data, lock, job) => handlers.publish(data, await ignoredFailures(job), lock),
			}),
			this.#worker(QUEUES.ticks, 1, {
				payload: TickJob,
				result: TickResult,
				handle: (data, lock) => handlers.tick(data, lock),
			}),
		];
	}

	/**
	 * Takes no more jobs, waits for those under way for so many milliseconds, then aborts them and hands them back.
	 * Resolves when nothing runs any more.
	 */
	async stop(waitMs: number): Promise<void> {
		this.#stopping = true;
		if (this.#cooling) clearTimeout(this.#cooling);
		await Promise.all(this.#workers.map((worker) => worker.pause(true)));
		const idle = this.#idle();
		await Promise.race([idle, sleep(waitMs)]);
		for (const { abort } of this.#running) abort.abort(new HandBack("the worker is stopping", false));
		await idle;
		await Promise.all(this.#workers.map((worker) => worker.close()));
	}

	async #idle(): Promise<void> {
		while (this.#running.size > 0) await Promise.allSettled([...this.#running].map(({ ended }) => ended));
	}

	#worker<In, Out>(name: string, concurrency: number, { payload, result, handle }: JobKind<In, Out>): Worker {
		const { redis, prefix } = this.#options.connection;
		const options: WorkerOptions = {
			connection: redis,
			prefix,
			concurrency,
			limiter: NO_LIMIT,
			lockDuration: LOCK_MS,
			// Renewed here, so that each job knows when its own lock was last seen.
			skipLockRenewal: true,
			stalledInterval: STALLED_MS,
			maxStalledCount: MAX_STALLED,
			settings: { backoffStrategy: (failures) => 1000 * retryDelay(failures, Math.random) },
		};
		const worker: Worker = new Worker(
			name,
			(job, token = "") => {
				const abort = new AbortController();
				const ended = this.#end(worker, { job, token, abort }, async (lock) => {
					return result.parse(await handle(readPayload(payload, job), lock, job));
				});
				const running = { abort, ended };
				this.#running.add(running);
				const done = (): void => void this.#running.delete(running);
				ended.then(done, done);
				return ended;
			},
			options,
		);
		worker.on("error", (error) => this.#noteError(name, error));
		return worker;
	}

	/** Runs a job's work to the end that the queue understands. */
	async #end<Out>(worker: Worker, { job, token, abort }: HeldJob, work: (lock: JobLock) => Promise<Out>): Promise<Out> {
		const lock = holdLock(job, token, abort);
		try {
			const under = work(lock);
			under.catch(() => {});
			const result = await Promise.race([under, letGo(abort.signal, under)]);
			if (this.#unfitCount > 0) this.#options.unfit(null);
			this.#unfitCount = 0;
			return result;
		} catch (error) {
			throw await this.#queueError(worker, job, token, abort.signal.aborted ? abort.signal.reason : error);
		} finally {
			lock.release();
		}
	}

	/** Gives the job back where it should go back, and says by the error's class what else the queue should do. */
	async #queueError(worker: Worker, job: Job, token: string, error: unknown): Promise<Error> {
		const about = { job: job.id, name: job.name };
		if (error instanceof LockLost) {
			this.#options.note(
				"warn",
				`${job.name} was given up, as ${error.message}. Nothing of it was made visible.`,
				about,
			);
			return new WaitingError();
		}
		if (error instanceof HandBack) {
			this.#options.note("warn", `${job.name} is handed back: ${error.message}.`, about);
			if (error.unfit) await this.#coolDown(worker, error.message);
			// Where it cannot be given back, it is not this worker's any more.
			await job.moveToWait(token).catch(() => {});
			return new WaitingError();
		}
		if (error instanceof LakeError && error.code === "HUB_RATE_LIMITED") {
			await this.#options.queue.pause(1000 * (error.waitSeconds ?? 60));
			return new RateLimitError();
		}
		const failure = failureOf(error);
		const text = JSON.stringify(failure);
		const again = canRetry(error) && job.attemptsMade + 1 < (job.opts.attempts ?? 1);
		this.#options.note("warn", `${job.name} failed${again ? ", to be tried again" : ""}: ${failure.message}`, {
			...about,
			code: failure.code,
		});
		return canRetry(error) ? new Error(text) : new UnrecoverableError(text);
	}

	/** Leaves the queue to other workers for a while: this one would take the same job again at once. */
	async #coolDown(worker: Worker, reason: string): Promise<void> {
		this.#options.unfit(reason);
		await worker.pause(true);
		if (this.#cooling !== null || this.#stopping) return;
		const seconds = UNFIT_SECONDS[Math.min(this.#unfitCount, UNFIT_SECONDS.length - 1)] ?? 60;
		this.#unfitCount += 1;
		this.#cooling = setTimeout(() => {
			this.#cooling = null;
			if (!this.#stopping) for (const one of this.#workers) if (one.isPaused()) void one.resume();
		}, seconds * 1000);
		this.#cooling.unref();
	}

	/** A lost connection is told elsewhere, once; what is left concerns single jobs. */
	#noteError(queue: string, error: Error): void {
		if ("code" in error && typeof error.code === "string") return;
		this.#options.note("warn", `The queue said: ${error.message}.`, { queue });
	}
}

/** Throws HandBack for what a newer release put there, JOB_INVALID for what none did. */
function readPayload<T>(schema: z.ZodType<T>, job: Job): T {
	const parsed = schema.safeParse(job.data);
	if (parsed.success) return parsed.data;
	const format = (job.data as { format?: unknown } | null)?.format;
	if (typeof format === "number" && format > JOB_FORMAT) {
		throw new HandBack(`its payload has format ${format}, this release knows ${JOB_FORMAT}`, true);
	}
	const where = parsed.error.issues[0]?.path.join(".") || "the whole";
	throw new LakeError("JOB_INVALID", `Job ${job.id} is not what a mirror puts on the queue: see ${where}.`);
}

async function ignoredFailures(job: Job): Promise<Map<string, JobFailure>> {
	const failures = await job.getIgnoredChildrenFailures();
	return new Map(
		Object.entries(failures).map(([key, reason]) => {
			const shard = shardOfKey(key);
			return [shard, readShardFailure(shard, reason)];
		}),
	);
}

/** Renews the job's lock, and aborts the job when it is another's. */
function holdLock(job: Job, token: string, abort: AbortController): JobLock & { release(): void } {
	let seen = performance.now();
	const lose = (): LockLost => {
		const lost = new LockLost("its lock ran out and it is another worker's now");
		abort.abort(lost);
		return lost;
	};
	async function renew(): Promise<void> {
		const asked = performance.now();
		if (Number(await job.extendLock(token, LOCK_MS)) !== 1) throw lose();
		seen = asked;
	}
	// A lost connection is no lost lock yet: the command waits for the connection, and then the queue says which.
	const timer = setInterval(() => renew().catch(() => {}), RENEW_MS);
	return {
		signal: abort.signal,
		async stillMine() {
			abort.signal.throwIfAborted();
			if (performance.now() - seen > 1.5 * RENEW_MS) await renew();
			abort.signal.throwIfAborted();
		},
		async progress(progress) {
			await job.updateProgress(progress).catch(() => {});
		},
		release: () => clearInterval(timer),
	};
}

/** Rejects a little after the signal fires, or as soon as the work has let go by then. */
function letGo(signal: AbortSignal, work: Promise<unknown>): Promise<never> {
	return new Promise((_, reject) => {
		const end = (): void => reject(signal.reason);
		signal.addEventListener("abort", () => {
			work.then(end, end);
			setTimeout(end, UNWIND_MS).unref();
		});
	});
}

function sleep(milliseconds: number): Promise<void> {
	return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}
