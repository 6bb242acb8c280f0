import type { Expectations } from "../../../pipelines/expect/expectations.js";
import { readLakeId } from "../../../pipelines/lake/lake-id.js";
import { finishClaimedSnapshots } from "../../../pipelines/lake/publish.js";
import { readLatest } from "../../../pipelines/lake/snapshot.js";
import { tablesOf } from "../../../pipelines/lake/tables.js";
import { earlierOutcomes } from "../../../pipelines/mirror/outcome.js";
import { type MirrorPlan, planMirror } from "../../../pipelines/mirror/plan/plan-mirror.js";
import { publishOutcomes } from "../../../pipelines/mirror/publish-run.js";
import { scratchError } from "../../../pipelines/scratch/errors.js";
import { LakeError } from "../../../schemas/errors.js";
import type { RunRequest } from "../../../schemas/jobs.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import type { MirrorOptions, NetworkOptions, QueueOptions } from "../../command-line/options.js";
import { readExpected } from "../../expect.js";
import { tellState } from "../../fleet/connection-state.js";
import { followRun, outcomeOf } from "../../fleet/follow-run.js";
import { FleetQueue, type RunEntry } from "../../fleet/queue.js";
import { runRequest, toMirrorRequest } from "../../fleet/request.js";
import { type Fleet, type RunKey, runUnderWay, startRun } from "../../fleet/start-run.js";
import { Registry } from "../../fleet/worker-registry.js";
import { Interrupted } from "../../interrupt.js";
import { requirePredicate } from "../../preflight.js";
import { countedText } from "../../report/format.js";
import { openProgress, type RunProgress } from "../../report/progress.js";
import { emptyDocument, type Reporting, reportRun } from "../../report/run-report.js";
import { claimLake, tellPlan } from "../../run/mirror-steps.js";
import { Session } from "../../session.js";
import { openQueue, type QueueConnection } from "../../wire.js";

type Options = MirrorOptions & NetworkOptions & QueueOptions & { wait: boolean; expect: string | undefined };

/** `irlake enqueue`: the same mirror, as jobs on the queue. */
export async function enqueue(context: CommandContext<Options>): Promise<CommandResult> {
	const { options, env, log, datasets } = context;
	await using session = await Session.open(context);
	const request = runRequest(options, session.dataset, datasets);
	await requirePredicate(options, session.dataset);
	if (options.expect !== undefined && !options.wait) throw nobodyJudges();
	const expectations = await readExpected(options, session.dataset);
	await session.store.requireLake();
	const scratch = await session.scratch();
	const connection = await openQueue(options.queue_prefix, env, { patient: false, onState: tellState(log) });
	const enqueuer = new Enqueuer(context, { session, request, expectations }, connection);
	try {
		return await enqueuer.run();
	} catch (error) {
		throw scratchError(error, scratch);
	} finally {
		await enqueuer.close();
		connection.close();
	}
}

interface Asked {
	session: Session;
	request: RunRequest;
	/** They stay here: whoever follows a run judges it at its end, from the lake's receipts. */
	expectations: Expectations | null;
}

function nobodyJudges(): LakeError {
	return new LakeError("USAGE", "--expect judges a run at its end, and nobody waits for it.", {
		hint: "Add --wait; or judge later: irlake mirror --expect FILE does, with nothing left to do.",
	});
}

class Enqueuer {
	readonly #context: CommandContext<Options>;
	readonly #asked: Asked;
	readonly #fleet: Fleet;
	readonly #started = performance.now();

	constructor(context: CommandContext<Options>, asked: Asked, connection: QueueConnection) {
		this.#context = context;
		this.#asked = asked;
		this.#fleet = { queue: new FleetQueue(connection), registry: new Registry(connection) };
	}

	async close(): Promise<void> {
		await this.#fleet.queue.close();
	}

	async run(): Promise<CommandResult> {
		const { options, signal } = this.#context;
		const { request, session } = this.#asked;
		const lakeId = await readLakeId(session.store);
		const present = lakeId === null ? null : (await runUnderWay(this.#fleet, lakeId, request, signal)).key;
		if (present && !options.wait) return this.#told(present, true, null);
		const plan = await this.#plan();
		if (present) return this.#follow(present, plan);
		tellPlan(plan, this.#context);
		if (plan.upToDate) return this.#nothingToDo(plan);
		const { key, joined } = await this.#start(plan);
		return options.wait ? this.#follow(key, plan) : this.#told(key, joined, plan);
	}

	async #start(plan: MirrorPlan, again?: RunKey): Promise<{ key: RunKey; joined: boolean }> {
		const { request, session } = this.#asked;
		const planned = { lakeId: await claimLake(session.store), request, plan, ...(again ? { again } : {}) };
		return startRun(this.#fleet, planned, this.#context.signal);
	}

	async #plan(): Promise<MirrorPlan> {
		const { request, session } = this.#asked;
		const tools = await session.planTools();
		if (await readLatest(session.store)) await finishClaimedSnapshots(session.store, tablesOf(session.dataset));
		return planMirror(toMirrorRequest(request), tools, this.#context.signal);
	}

	/** As `mirror` ends when nothing is left to do; no job is made. */
	async #nothingToDo(plan: MirrorPlan): Promise<CommandResult> {
		const { request, session } = this.#asked;
		const onShardFailure = request.on_shard_failure;
		const found = earlierOutcomes(plan, { maxRejectRatio: request.max_reject_ratio, onShardFailure });
		const ended = { plan, request, onShardFailure };
		const outcome = await publishOutcomes(ended, found, await session.planTools(), this.#context.signal);
		return reportRun(this.#context, outcome, this.#reporting(), this.#spent(null));
	}

	async #follow(first: RunKey, plan: MirrorPlan): Promise<CommandResult> {
		const { signal } = this.#context;
		const { request, session } = this.#asked;
		const open = (shards: number): RunProgress => openProgress(this.#context, this.#context.drawn, shards);
		let key = first;
		let progress = open(plan.shards.filter(({ action }) => action === "process").length);
		try {
			let entry = await followRun(this.#fleet.queue, key, progress, signal);
			if (!entry) {
				this.#context.log.warn({ run: key.run }, "the queue lost the run: it is put there once more");
				const replanned = await this.#plan();
				key = (await this.#start(replanned, key)).key;
				progress.close();
				progress = open(replanned.shards.filter(({ action }) => action === "process").length);
				entry = await followRun(this.#fleet.queue, key, progress, signal);
			}
			if (!entry) throw new LakeError("QUEUE_WIPED", `The queue lost run ${key.run} twice.`);
			progress.close();
			const outcome = await outcomeOf(entry, plan, request, session.store);
			return await reportRun(this.#context, outcome, this.#reporting(), this.#spent({ entry, progress }));
		} catch (error) {
			progress.close();
			if (!(error instanceof Interrupted)) throw error;
			return this.#interrupted(error, key, progress);
		}
	}

	#reporting(): Reporting {
		const { session, expectations } = this.#asked;
		return { session, expectations };
	}

	#spent(followed: { entry: RunEntry | null; progress: RunProgress } | null): { bytes: number; seconds: number } {
		const seconds = Math.round(performance.now() - this.#started) / 1000;
		const fetched = (followed?.progress.fetchedBytes ?? 0) + (followed?.entry?.result?.fetched ?? 0);
		return { bytes: this.#asked.session.metadataBytes + fetched, seconds };
	}

	#interrupted(error: Interrupted, { run }: RunKey, progress: RunProgress): CommandResult {
		this.#context.say(`no longer followed; run ${run} goes on`);
		const hint = "The run goes on: the same command with --wait follows it again, irlake status shows it.";
		return {
			exit: error.exitCode,
			document: { ...emptyDocument(this.#spent({ entry: null, progress })), state: "interrupted" },
			error: { code: "INTERRUPTED", message: error.message, hint, path: null },
		};
	}

	#told({ run, attempt }: RunKey, joined: boolean, plan: MirrorPlan | null): CommandResult {
		const { say, options } = this.#context;
		const todo = plan?.shards.filter(({ action }) => action === "process");
		const shards = todo ? `: ${countedText(todo.length, "shard")} to do` : "";
		say(
			joined
				? `joined run ${run} of ${options.lake}, which is under way`
				: `enqueued run ${run} of ${options.lake}${shards}`,
		);
		say("irlake status shows how far it is; irlake enqueue --wait follows it");
		return {
			exit: 0,
			document: {
				...emptyDocument(this.#spent(null)),
				state: joined ? "joined" : "enqueued",
				run,
				attempt,
				shards_to_do: todo?.length ?? null,
			},
		};
	}
}
