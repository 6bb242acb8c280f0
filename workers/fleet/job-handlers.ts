import type { Dataset } from "../../pipelines/dataset.js";
import { readLakeId } from "../../pipelines/lake/lake-id.js";
import { receiptFile } from "../../pipelines/lake/paths.js";
import { unmarkedReceipts } from "../../pipelines/lake/receipt.js";
import { concernsShardOnly, earlierOutcomes, failedOutcome } from "../../pipelines/mirror/outcome.js";
import { type MirrorPlan, type PlanTools, planMirror } from "../../pipelines/mirror/plan/plan-mirror.js";
import { UNKEPT } from "../../pipelines/mirror/plan/reasons.js";
import { PIPELINE_VERSION } from "../../pipelines/mirror/plan/work-id.js";
import { publishOutcomes } from "../../pipelines/mirror/publish-run.js";
import { processShard } from "../../pipelines/mirror/shard.js";
import type { Progress } from "../../pipelines/ports/run.js";
import type { Source } from "../../pipelines/ports/source.js";
import type { TableFiles } from "../../pipelines/ports/tables.js";
import { tellRetries } from "../../pipelines/retry.js";
import { scratchError } from "../../pipelines/scratch/errors.js";
import { LakeError } from "../../schemas/errors.js";
import type {
	JobFailure,
	PublishJob,
	PublishResult,
	RunJob,
	RunRequest,
	ShardJob,
	ShardResult,
	TickJob,
	TickResult,
} from "../../schemas/jobs.js";
import { canonicalJson } from "../../schemas/records.js";
import { abortable } from "../abortable.js";
import { systemClock } from "../clock.js";
import type { NetworkOptions } from "../command-line/options.js";
import { metadataOf } from "../run/run-mirror.js";
import { Session } from "../session.js";
import { archives, type LakeStore, openPredicate, openSource, openTables, retryPolicy } from "../wire.js";
import type { JobLock } from "./consume.js";
import { FencedStore } from "./fenced-store.js";
import { errorOf, HandBack, shardErrorOf } from "./job-failure.js";
import type { Meter } from "./meter.js";
import { publishId } from "./queue.js";
import { Shared } from "./ref-counted.js";
import { toMirrorRequest, toSourcePin } from "./request.js";
import { type Fleet, runUnderWay, startRun } from "./start-run.js";

/** A run's jobs, done: the same plan, shard and publish as in one process, with what one worker's jobs share. */

interface OpenRun {
	source: Source;
	/** Made once for the shards of a run; a publish makes its own. */
	plan: Promise<MirrorPlan> | null;
	fetched: number;
}

interface WorkOptions {
	/** The worker's name, for those who follow a run. */
	worker: string;
	scratch: string;
	datasets: readonly Dataset[];
	env: NodeJS.ProcessEnv;
	note: Progress["note"];
	meter: Meter;
	network: NetworkOptions;
	/** Fires when the worker stops. */
	signal: AbortSignal;
}

export class Work {
	readonly #options: WorkOptions;
	readonly #tables: Promise<TableFiles>;
	readonly #lakes = new Shared<Session>(
		(lake) => lake.close(),
		({ store }) => store.dropStaged(),
	);
	readonly #runs = new Shared<OpenRun>(({ source }) => source.close());

	constructor(options: WorkOptions) {
		this.#options = options;
		this.#tables = openTables(options.scratch);
	}

	async shard(job: ShardJob, lock: JobLock): Promise<ShardResult> {
		const { worker, note, meter } = this.#options;
		const { request, shard } = job;
		const about = { run: job.run, lake: request.lake, shard };
		const { progress, told, end } = meter.shard(about, worker, note, (now) => lock.progress(now));
		try {
			return await this.#with(job, async (lake, run) => {
				const plan = await abortable(this.#plan(job, lake, run), lock.signal);
				const one = plan.shards.find((other) => other.shard === shard);
				if (one?.action === "keep") return { state: "kept", fetched: 0 };
				if (one?.workId !== job.work_id) throw changed(shard, request);
				// Of a shard done earlier, whose rejected images are to be kept, there is a receipt and work left.
				const done = one.action === "reuse" || (one.reason !== UNKEPT && (await hasReceipt(lake.store, job)));
				if (done) return { state: "reused", fetched: 0 };
				const tools = {
					...(await this.#planTools(lake, run)),
					store: new FencedStore(lake.store, () => lock.stillMine()),
					archives,
					images: await lake.images(),
					progress,
					maxRejectRatio: request.max_reject_ratio,
					keepRejected: request.keep_rejected,
				};
				const task = { plan: one, metadata: metadataOf(plan, shard), settings: plan.settings };
				await processShard(task, tools, lock.signal);
				return { state: "done", fetched: told.fetched };
			});
		} finally {
			await end();
		}
	}

	/** Plans again: what is done is what the lake's receipts say, whatever the queue has. */
	async publish(job: PublishJob, failures: Map<string, JobFailure>, lock: JobLock): Promise<PublishResult> {
		const { request } = job;
		const onShardFailure = request.on_shard_failure;
		return this.#with(job, async (lake, run) => {
			const fenced = new FencedStore(lake.store, () => lock.stillMine());
			const fetchedBefore = run.fetched;
			const planTools = await this.#planTools(lake, run);
			const plan = await planMirror(toMirrorRequest(request), planTools, lock.signal);
			const found = earlierOutcomes(plan, { maxRejectRatio: request.max_reject_ratio, onShardFailure });
			for (const { shard, action } of plan.shards) {
				if (action !== "process") continue;
				const failure = failures.get(shard);
				if (!failure) throw incomplete(shard);
				if (!concernsShardOnly(failure)) throw errorOf(failure);
				found.outcomes.set(shard, failedOutcome(shard, shardErrorOf(shard, failure), onShardFailure));
			}
			const ended = { plan, request: toMirrorRequest(request), onShardFailure };
			const outcome = await publishOutcomes(ended, found, { ...planTools, store: fenced }, lock.signal);
			if (outcome.failure) throw outcome.failure;
			return {
				state: outcome.published ? "published" : "up_to_date",
				snapshot: outcome.published?.path ?? null,
				number: outcome.published?.snapshot.number ?? null,
				fetched: run.fetched - fetchedBefore,
			};
		});
	}

	/** A schedule's moment: a run is put on the queue where there is anything to do and none is under way. */
	async tick(job: TickJob, fleet: Fleet, { signal }: JobLock): Promise<TickResult> {
		const { request, lake_id: lakeId } = job;
		const { note } = this.#options;
		return this.#withLake(request, lakeId, async (lake) => {
			try {
				const { key: present } = await runUnderWay(fleet, lakeId, request, signal);
				if (present) return { state: "joined", run: present.run };
				const run = await this.#openRun(lake, request, null);
				const planning = planMirror(toMirrorRequest(request), await this.#planTools(lake, run), signal);
				const plan = await planning.finally(() => run.source.close());
				if (plan.upToDate) return { state: "up_to_date", run: null };
				const { key, joined } = await startRun(fleet, { lakeId, request, plan }, signal);
				return { state: joined ? "joined" : "enqueued", run: key.run };
			} catch (error) {
				if (!(error instanceof LakeError) || error.code !== "RUN_IN_PROGRESS") throw error;
				note("warn", `Schedule ${job.schedule} does nothing this time: ${error.message}`, { schedule: job.schedule });
				return { state: "busy", run: null };
			}
		});
	}

	/** Throws HandBack where the path is not the lake that the job means. */
	async #requireLake(store: LakeStore, lakeId: string): Promise<void> {
		const found = await readLakeId(store);
		if (found === lakeId) return;
		const what = found === null ? "is no lake" : `is another lake (${found})`;
		throw new HandBack(`${store.name} ${what} on this worker, but the job is for ${lakeId}`, true);
	}

	async close(): Promise<void> {
		await this.#runs.closeAll();
		await this.#lakes.closeAll();
		await (await this.#tables).close();
	}

	/** Opens what the job needs, once for all jobs that run at the time. */
	async #with<R>(job: RunJob, work: (lake: Session, run: OpenRun) => Promise<R>): Promise<R> {
		const { request } = job;
		if (job.pipeline_version !== PIPELINE_VERSION) {
			const versions = `pipeline version ${job.pipeline_version}; this worker has ${PIPELINE_VERSION}`;
			throw new HandBack(`the run was planned with ${versions}`, true);
		}
		return this.#withLake(request, job.lake_id, async (lake) => {
			// A store that cannot be written to safely is refused before anything is fetched.
			await lake.store.prepareWrites();
			return this.#runs.use(
				publishId(job),
				() => this.#openRun(lake, request, job.pin),
				(run) => work(lake, run),
			);
		});
	}

	async #withLake<R>(request: RunRequest, lakeId: string, work: (lake: Session) => Promise<R>): Promise<R> {
		const { scratch, datasets, env, note, network, signal } = this.#options;
		const dataset = request.dataset ?? datasets[0]?.name;
		if (!datasets.some(({ name }) => name === dataset)) {
			throw new HandBack(`the run is for the dataset ${dataset}, which this worker does not know`, true);
		}
		const open = async (): Promise<Session> => {
			const options = { ...network, ...request, dataset, scratch };
			const lake = await Session.open({ options, datasets, env, note, signal });
			lake.atEnd(() => lake.store.dropStaged());
			return lake;
		};
		try {
			return await this.#lakes.use(`${dataset} ${request.lake}`, open, async (lake) => {
				await this.#requireLake(lake.store, lakeId);
				return work(lake);
			});
		} catch (error) {
			throw scratchError(error, scratch);
		}
	}

	async #openRun({ dataset }: Session, request: RunRequest, pin: RunJob["pin"]): Promise<OpenRun> {
		const { scratch, env, note, network } = this.#options;
		const tools = { clock: systemClock, note, pin: toSourcePin(pin), scratch, env };
		const source = await openSource({ ...network, ...request }, dataset, tools);
		return { source, plan: null, fetched: 0 };
	}

	/** The run's plan; where the lake's settings would come out otherwise, another worker or run must do it. */
	#plan(job: RunJob, lake: Session, run: OpenRun): Promise<MirrorPlan> {
		const request = toMirrorRequest(job.request);
		const { store } = lake;
		const plan = async (): Promise<MirrorPlan> => {
			return planMirror(request, await this.#planTools(lake, run), this.#options.signal);
		};
		const making = run.plan ?? plan();
		run.plan = making;
		making.catch(() => {
			run.plan = null;
		});
		return making.then((plan) => {
			if (canonicalJson(plan.settings) === canonicalJson(job.settings)) return plan;
			const { codec } = plan.settings;
			if (codec !== job.settings.codec) {
				throw new HandBack(`the run re-encodes by ${job.settings.codec}; this worker has ${codec}`, true);
			}
			throw new LakeError("SETTINGS_DIFFER", `${store.name} got other settings while the run was under way.`);
		});
	}

	async #planTools({ store, dataset }: Session, run: OpenRun): Promise<PlanTools> {
		const onFetched = (bytes: number): void => {
			run.fetched += bytes;
		};
		const { scratch, note, network } = this.#options;
		return {
			dataset,
			source: run.source,
			store,
			tables: await this.#tables,
			clock: systemClock,
			scratch,
			onFetched,
			openPredicate,
			onRetry: tellRetries(note),
			retry: retryPolicy(network),
		};
	}
}

/** A marked receipt counts as absent. */
async function hasReceipt(store: LakeStore, { shard, work_id }: ShardJob): Promise<boolean> {
	return (await unmarkedReceipts(store, [receiptFile.path(shard, work_id)])).size > 0;
}

function changed(shard: string, { source }: RunRequest): LakeError {
	return new LakeError("SOURCE_CHANGED", `Shard ${shard} at ${source} is not what it was when the run was planned.`, {
		path: shard,
		retry: false,
		hint: "Enqueue again: the source is then listed anew.",
	});
}

function incomplete(shard: string): LakeError {
	return new LakeError("RUN_INCOMPLETE", `Shard ${shard} has no receipt in the lake, though its job has ended.`, {
		path: shard,
		retry: false,
	});
}
