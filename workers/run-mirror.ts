import type { ClaimTools } from "../pipelines/lake/claim-guard.js";
import type { StoredSnapshot } from "../pipelines/lake/snapshot.js";
import { judgeRatio } from "../pipelines/mirror/check/reconcile.js";
import type { ShardPlan } from "../pipelines/mirror/plan/decide.js";
import type { SplitMetadata } from "../pipelines/mirror/plan/metadata.js";
import type { MirrorPlan, MirrorRequest } from "../pipelines/mirror/plan/plan-mirror.js";
import { publishRun } from "../pipelines/mirror/publish-run.js";
import { processShard, ShardFailed, type ShardTools } from "../pipelines/mirror/shard.js";
import type { Clock, Progress } from "../pipelines/ports/run.js";
import type { Content, Store } from "../pipelines/ports/store.js";
import { workFolder } from "../pipelines/scratch/work-folder.js";
import { type ErrorCode, FINDINGS } from "../schemas/codes.js";
import { LakeError } from "../schemas/errors.js";
import type { Receipt, Snapshot } from "../schemas/records.js";

/** The in-process runner: the plan's shards, some at a time, then one publish. */

export interface ShardOutcome {
	shard: string;
	state: "done" | "reused" | "failed" | "skipped";
	code: ErrorCode | null;
	detail: string | null;
	/** Of a failed shard: what had been found, and where it is kept. */
	findings: Receipt["findings"];
	kept: string | null;
	/** Of one that was made earlier and is judged bad now. */
	receipt: Receipt | null;
}

export interface MirrorOutcome {
	/** Null when nothing was published. */
	published: StoredSnapshot | null;
	shards: ShardOutcome[];
	receipts: Receipt[];
	/** Why nothing could be published, or null. */
	failure: LakeError | null;
}

export interface RunOptions {
	concurrency: number;
	onShardFailure: "fail" | "skip";
}

/** What the shards of a plan came to. */
export interface ShardEnds {
	/** By the shard's name. */
	outcomes: Map<string, ShardOutcome>;
	/** Of the good ones. */
	receipts: Receipt[];
}

/** Runs a plan to its end. Throws the abort signal's reason, and errors that end the whole run. */
export async function runMirror(
	plan: MirrorPlan,
	request: MirrorRequest,
	tools: ShardTools & { store: Store },
	options: RunOptions,
	signal: AbortSignal,
): Promise<MirrorOutcome> {
	const ends = earlierEnds(plan, tools.maxRejectRatio, options);
	const todo = plan.shards.filter(({ action }) => action === "process");
	await inFlight(todo, options.concurrency, signal, async (one, stop, onArrived) => {
		const result = await attempt(one, plan, { ...tools, onArrived }, options, stop);
		if (result.receipt) ends.receipts.push(result.receipt);
		ends.outcomes.set(one.shard, result.outcome);
	});
	return publishEnds(plan, request, tools, ends, options, signal);
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
			note("warn", `${error.message}: they are made anew`, { path: error.path });
			// What the lake has is listed anew; and what is marked must be older than what is written next.
			await store.dropStaged();
			await clock.sleep(1, signal);
		}
	}
}

/** How the shards ended that earlier runs made: each receipt is judged as a new one would be. */
export function earlierEnds(
	plan: MirrorPlan,
	maxRejectRatio: number,
	options: Pick<RunOptions, "onShardFailure">,
): ShardEnds {
	const outcomes = new Map<string, ShardOutcome>();
	const receipts: Receipt[] = [];
	for (const one of plan.shards) {
		if (one.action === "process" || !one.receipt) continue;
		const failed = judgeReceipt(one.receipt, maxRejectRatio);
		if (failed) outcomes.set(one.shard, judgedOutcome(one.receipt, failed, options));
		else outcomes.set(one.shard, outcome(one.shard, "reused"));
		if (!failed && one.action === "reuse") receipts.push(one.receipt);
	}
	return { outcomes, receipts };
}

/** The run's last step: publishes what its shards came to, or says why not. */
export async function publishEnds(
	plan: MirrorPlan,
	request: Pick<MirrorRequest, "wanted" | "prune">,
	tools: PublishTools & Pick<ShardTools, "dataset"> & { store: Store },
	{ outcomes, receipts }: ShardEnds,
	options: Pick<RunOptions, "onShardFailure">,
	signal: AbortSignal,
): Promise<MirrorOutcome> {
	const shards = plan.shards.flatMap(({ shard }) => outcomes.get(shard) ?? []);
	const bad = shards.filter(({ state }) => state === "failed" || state === "skipped");
	const nothingLeft = plan.base === null && receipts.length === 0;
	const failure = whyNotPublish(bad, request, options, nothingLeft);
	if (failure) return { published: null, shards, receipts, failure };
	const skipped: Snapshot["skipped"] = bad.map(({ shard, code, detail }) => ({
		shard,
		code: code ?? "",
		detail: detail ?? "",
	}));
	const results = { receipts, skipped };
	const published = await publishRun(
		tools.store,
		request,
		plan,
		results,
		tools.dataset,
		await claimTools(tools, signal),
	);
	return { published, shards, receipts, failure: null };
}

type PublishTools = Pick<ShardTools, "tables" | "scratch" | "clock">;

/** What a publish looks at its files with, before its claim. */
export async function claimTools({ tables, scratch, clock }: PublishTools, signal: AbortSignal): Promise<ClaimTools> {
	return { tables, clock, signal, work: await workFolder(scratch, "publish") };
}

/** Why a run with these failed shards publishes nothing, or null. */
export function whyNotPublish(
	bad: ShardOutcome[],
	request: Pick<MirrorRequest, "prune">,
	options: Pick<RunOptions, "onShardFailure">,
	/** Whether there would be no shard at all to publish. */
	nothingLeft: boolean,
): LakeError | null {
	const names = bad.map(({ shard }) => shard).join(", ");
	if (bad.length > 0 && request.prune) {
		return new LakeError("PRUNE_REFUSED", `--prune drops nothing, since ${names} failed; nothing was published`);
	}
	if (bad.length > 0 && (options.onShardFailure === "fail" || nothingLeft)) {
		return new LakeError("SHARD_FAILED", `${names} failed; nothing was published`);
	}
	return null;
}

export function outcome(shard: string, state: ShardOutcome["state"]): ShardOutcome {
	return { shard, state, code: null, detail: null, findings: {}, kept: null, receipt: null };
}

export function failedOutcome(
	shard: string,
	error: LakeError,
	{ onShardFailure }: Pick<RunOptions, "onShardFailure">,
): ShardOutcome {
	const of =
		error instanceof ShardFailed ? { findings: error.findings, kept: error.kept } : { findings: {}, kept: null };
	return {
		shard,
		state: onShardFailure === "skip" ? "skipped" : "failed",
		code: error.code,
		detail: error.message,
		...of,
		receipt: null,
	};
}

/** A shard that was made earlier and is judged bad now. Under `skip` it stays in the lake, and is counted there. */
function judgedOutcome(receipt: Receipt, error: LakeError, options: Pick<RunOptions, "onShardFailure">): ShardOutcome {
	const findings = options.onShardFailure === "fail" ? receipt.findings : {};
	return { ...failedOutcome(receipt.shard, error, options), findings, receipt };
}

/** The reject ratio judges shards made earlier as it judges new ones. */
function judgeReceipt({ shard, counts, findings }: Receipt, maximum: number): LakeError | null {
	try {
		judgeRatio(shard, counts.rows_rejected - (findings.GROUP_DROPPED ?? 0), counts.rows_in, maximum);
		return null;
	} catch (error) {
		if (error instanceof LakeError) return error;
		throw error;
	}
}

async function attempt(
	one: ShardPlan,
	plan: MirrorPlan,
	tools: ShardTools,
	options: RunOptions,
	signal: AbortSignal,
): Promise<{ receipt: Receipt | null; outcome: ShardOutcome }> {
	try {
		const receipt = await processShard(
			{ plan: one, metadata: metadataOf(plan, one.shard), settings: plan.settings },
			tools,
			signal,
		);
		tools.progress.shardDone(one.shard, "done");
		return { receipt, outcome: outcome(one.shard, "done") };
	} catch (error) {
		if (!(error instanceof ShardFailed) || !concernsShardOnly(error)) throw error;
		const failed = failedOutcome(one.shard, error, options);
		tools.progress.shardDone(one.shard, failed.state === "skipped" ? "skipped" : "failed");
		tools.progress.note("warn", error.message, {
			shard: one.shard,
			code: error.code,
			...(error.kept ? { kept: error.kept } : {}),
		});
		return { receipt: null, outcome: failed };
	}
}

/** The metadata of a planned shard's split. */
export function metadataOf(plan: MirrorPlan, shard: string): SplitMetadata {
	const metadata = [...plan.metadata.values()].find(({ rowsSha256 }) => rowsSha256.has(shard));
	if (!metadata) throw new LakeError("INTERNAL", `${shard} was planned without its metadata`);
	return metadata;
}

/** A full disk or a lake that refuses writes would fail every other shard as well. */
export function concernsShardOnly({ code }: Pick<LakeError, "code">): boolean {
	return code in FINDINGS || code.startsWith("SOURCE_") || code === "HUB_ENTRY_NOT_FOUND" || code === "HUB_UNAVAILABLE";
}

/**
 * Runs `work` over the items, at most `limit` at once; the first error stops the others and is thrown. The second lane
 * starts when the first one's first item is fetched, and so on: all downloads at once would leave the cores without work
 * for as long as all of them take.
 */
async function inFlight<T>(
	items: T[],
	limit: number,
	signal: AbortSignal,
	work: (item: T, signal: AbortSignal, fetched: () => void) => Promise<void>,
): Promise<void> {
	const failed = new AbortController();
	const stop = AbortSignal.any([signal, failed.signal]);
	const queue = items.values();
	async function lane(fetched: () => void): Promise<void> {
		for (const item of queue) {
			stop.throwIfAborted();
			await work(item, stop, fetched);
		}
	}
	let before = Promise.resolve();
	const lanes = Array.from({ length: Math.min(limit, items.length) }, async () => {
		const turn = before;
		let fetched = (): void => {};
		before = new Promise((resolve) => {
			fetched = resolve;
		});
		await turn;
		try {
			await lane(fetched);
		} catch (error) {
			failed.abort(error);
			throw error;
		} finally {
			fetched();
		}
	});
	await Promise.allSettled(lanes);
	signal.throwIfAborted();
	if (failed.signal.aborted) throw failed.signal.reason;
}
