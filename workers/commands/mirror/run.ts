import type { Expectations } from "../../../pipelines/expect/expectations.js";
import { sweepParts } from "../../../pipelines/fetch/parts.js";
import { finishClaimedSnapshots } from "../../../pipelines/lake/publish.js";
import { readLatest } from "../../../pipelines/lake/snapshot.js";
import { tablesOf } from "../../../pipelines/lake/tables.js";
import { earlierOutcomes, type MirrorOutcome } from "../../../pipelines/mirror/outcome.js";
import { type MirrorRequest, type PlanTools, planMirror } from "../../../pipelines/mirror/plan/plan-mirror.js";
import { publishOutcomes } from "../../../pipelines/mirror/publish-run.js";
import { scratchError } from "../../../pipelines/scratch/errors.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import type { MirrorOptions, NetworkOptions } from "../../command-line/options.js";
import { readExpected } from "../../expect.js";
import { Interrupted } from "../../interrupt.js";
import { requirePredicate, requireSpace } from "../../preflight.js";
import { durationText } from "../../report/format.js";
import { openProgress, type RunProgress } from "../../report/progress.js";
import { emptyDocument, reportRun, type Spent } from "../../report/run-report.js";
import { claimLake, mirrorRequest, tellPlan } from "../../run/mirror-steps.js";
import { runMirror, whileSwept } from "../../run/run-mirror.js";
import { Session } from "../../session.js";
import { archives, type LakeStore } from "../../wire.js";

type Options = MirrorOptions & NetworkOptions & { concurrency: number; expect: string | undefined };

/** `irlake mirror`: plan, process every shard, publish. */
export async function mirror(context: CommandContext<Options>): Promise<CommandResult> {
	await using session = await Session.open(context);
	const request = mirrorRequest(context.options, session.dataset);
	await requirePredicate(context.options, session.dataset);
	const expectations = await readExpected(context.options, session.dataset);
	await session.store.requireLake();
	const scratch = await session.scratch();
	session.atEnd(() => session.store.dropStaged());
	return await new MirrorCommand(context, session, request).run(expectations, scratch);
}

class MirrorCommand {
	readonly #context: CommandContext<Options>;
	readonly #session: Session;
	readonly #request: MirrorRequest;
	readonly #started = performance.now();
	/** One of each attempt. */
	readonly #drawn: RunProgress[] = [];

	constructor(context: CommandContext<Options>, session: Session, request: MirrorRequest) {
		this.#context = context;
		this.#session = session;
		this.#request = request;
	}

	async run(expectations: Expectations | null, scratch: string): Promise<CommandResult> {
		const session = this.#session;
		const { store, clock } = session;
		const { note, signal } = this.#context;
		try {
			const tools = await session.planTools();
			// A new lake has work in any case: the image host starts while the plan is made.
			if (await readLatest(store)) await finishClaimedSnapshots(store, tablesOf(session.dataset));
			else await session.images();
			const outcome = await whileSwept(() => this.#attempt(tools), { store, clock, note, signal });
			await sweepParts(scratch);
			return await reportRun(this.#context, outcome, { session, expectations }, this.#spent());
		} catch (error) {
			for (const progress of this.#drawn) progress.close();
			if (!(error instanceof Interrupted)) throw scratchError(error, scratch);
			return interrupted(this.#context, error, this.#spent());
		}
	}

	async #attempt(planTools: PlanTools & { store: LakeStore }): Promise<MirrorOutcome> {
		const { options, note, signal } = this.#context;
		const { store } = this.#session;
		const request = this.#request;
		const plan = await planMirror(request, planTools, signal);
		tellPlan(plan, this.#context);
		await requireSpace(store, plan, note);
		if (!plan.upToDate) await claimLake(store);
		const judging = { maxRejectRatio: options.max_reject_ratio, onShardFailure: options.on_shard_failure };
		const run = { plan, request, concurrency: options.concurrency, onShardFailure: options.on_shard_failure };
		const todo = plan.shards.filter(({ action }) => action === "process");
		if (todo.length === 0) return publishOutcomes(run, earlierOutcomes(plan, judging), planTools, signal);
		const progress = openProgress(this.#context, this.#context.drawn, todo.length);
		this.#drawn.push(progress);
		const tools = {
			...planTools,
			archives,
			images: await this.#session.images(),
			progress,
			maxRejectRatio: options.max_reject_ratio,
			keepRejected: options.keep_rejected,
		};
		return runMirror(run, tools, signal).finally(() => progress.close());
	}

	#spent(): Spent {
		const shards = this.#drawn.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0);
		const seconds = Math.round(performance.now() - this.#started) / 1000;
		return { bytes: this.#session.metadataBytes + shards, seconds };
	}
}

function interrupted({ say }: CommandContext, error: Interrupted, spent: Spent): CommandResult {
	const hint = "Run the same command again: finished shards and downloaded bytes are kept.";
	say(`interrupted after ${durationText(spent.seconds)}; nothing was published`);
	return {
		exit: error.exitCode,
		document: { ...emptyDocument(spent), state: "interrupted" },
		error: { code: "INTERRUPTED", message: error.message, hint, path: null },
	};
}
