import {
	concernsShardOnly,
	earlierOutcomes,
	failedOutcome,
	goodOutcome,
	type MirrorOutcome,
	type OnShardFailure,
	type ShardOutcome,
} from "../../pipelines/mirror/outcome.js";
import type { ShardPlan } from "../../pipelines/mirror/plan/decide.js";
import type { SplitMetadata } from "../../pipelines/mirror/plan/metadata.js";
import type { MirrorPlan, MirrorRequest } from "../../pipelines/mirror/plan/plan-mirror.js";
import { publishOutcomes } from "../../pipelines/mirror/publish-run.js";
import { processShard, ShardFailed, type ShardTools } from "../../pipelines/mirror/shard.js";
import type { Clock, Progress } from "../../pipelines/ports/run.js";
import type { Content, Store } from "../../pipelines/ports/store.js";
import { LakeError } from "../../schemas/errors.js";
import type { Receipt } from "../../schemas/records.js";
import { inLanes } from "./lanes.js";

/** The in-process runner: the plan's shards, some at a time, then one publish. */

/** A run of this process. */
interface Run {
	plan: MirrorPlan;
	request: MirrorRequest;
	/** Shards in flight. */
	concurrency: number;
	onShardFailure: OnShardFailure;
}

type RunTools = ShardTools & { store: Store };

/** Runs a plan to its end. Throws the abort signal's reason, and errors that end the whole run. */
export async function runMirror(run: Run, tools: RunTools, signal: AbortSignal): Promise<MirrorOutcome> {
	const { plan, concurrency, onShardFailure } = run;
	const found = earlierOutcomes(plan, { maxRejectRatio: tools.maxRejectRatio, onShardFailure });
	const todo = plan.shards.filter(({ action }) => action === "process");
	await inLanes(todo, concurrency, signal, async (one, stop, onArrived) => {
		const { receipt, outcome } = await attempt(one, run, { ...tools, onArrived }, stop);
		if (receipt) found.receipts.push(receipt);
		found.outcomes.set(one.shard, outcome);
	});
	return publishOutcomes(run, found, tools, signal);
}

async function attempt(
	one: ShardPlan,
	{ plan, onShardFailure }: Run,
	tools: ShardTools,
	signal: AbortSignal,
): Promise<{ receipt: Receipt | null; outcome: ShardOutcome }> {
	const { shard } = one;
	try {
		const task = { plan: one, metadata: metadataOf(plan, shard), settings: plan.settings };
		const receipt = await processShard(task, tools, signal);
		tools.progress.shardDone(shard, "done");
		return { receipt, outcome: goodOutcome(shard, "done") };
	} catch (error) {
		if (!(error instanceof ShardFailed) || !concernsShardOnly(error)) throw error;
		const outcome = failedOutcome(shard, error, onShardFailure);
		tools.progress.shardDone(shard, outcome.state === "skipped" ? "skipped" : "failed");
		const { code, kept } = error;
		tools.progress.note("warn", error.message, { shard, code, ...(kept ? { kept } : {}) });
		return { receipt: null, outcome };
	}
}

/** The metadata of a planned shard's split. */
export function metadataOf(plan: MirrorPlan, shard: string): SplitMetadata {
	const metadata = [...plan.metadata.values()].find(({ rowsSha256 }) => rowsSha256.has(shard));
	if (!metadata) throw new LakeError("INTERNAL", `Shard ${shard} was planned without its metadata.`);
	return metadata;
}

/** How often a run begins again. */
const SWEPT_TRIES = 5;

/** Makes a run again, from its plan on, while vacuum takes what it was about to publish. */
export async function whileSwept<T>(
	attempt: () => Promise<T>,
	{ store, clock, note, signal }: { store: Content; clock: Clock; note: Progress["note"]; signal: AbortSignal },
): Promise<T> {
	for (let swept = 0; ; swept++) {
		try {
			return await attempt();
		} catch (error) {
			if (!(error instanceof LakeError) || error.code !== "LAKE_SWEPT" || swept === SWEPT_TRIES) throw error;
			note("warn", `${error.message} They are made anew.`, { path: error.path });
			// What the lake has is listed anew; and what is marked must be older than what is written next.
			await store.dropStaged();
			await clock.sleep(1, signal);
		}
	}
}
