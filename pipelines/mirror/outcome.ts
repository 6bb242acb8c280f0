import { type ErrorCode, FINDINGS } from "../../schemas/codes.js";
import { LakeError } from "../../schemas/errors.js";
import type { Receipt } from "../../schemas/records.js";
import type { StoredSnapshot } from "../lake/snapshot.js";
import { judgeRatio } from "./check/reconcile.js";
import type { MirrorPlan, MirrorRequest } from "./plan/plan-mirror.js";
import { ShardFailed } from "./shard.js";

/** The outcome of each shard of a run, and whether the run may be published. Nothing here reads or writes. */

export interface ShardOutcome {
	shard: string;
	state: "done" | "reused" | "failed" | "skipped";
	code: ErrorCode | null;
	detail: string | null;
	/** For a failed shard: its findings so far, and where they are kept. */
	findings: Receipt["findings"];
	kept: string | null;
	/** For a shard that was made earlier and is now judged bad. */
	receipt: Receipt | null;
}

/** The outcomes of a run's shards that are known so far. */
export interface ShardOutcomes {
	/** By the shard's name. */
	outcomes: Map<string, ShardOutcome>;
	/** Receipts of the good shards. */
	receipts: Receipt[];
}

export interface MirrorOutcome {
	/** Null when nothing was published. */
	published: StoredSnapshot | null;
	shards: ShardOutcome[];
	receipts: Receipt[];
	/** Why nothing could be published, or null. */
	failure: LakeError | null;
}

/** Whether a failed shard keeps the others from being published. */
export type OnShardFailure = "fail" | "skip";

/** The limits by which a run's shards are judged. */
interface JudgeLimits {
	maxRejectRatio: number;
	onShardFailure: OnShardFailure;
}

/** Re-judges receipts of earlier runs by this run's limits. */
export function earlierOutcomes(plan: Pick<MirrorPlan, "shards">, limits: JudgeLimits): ShardOutcomes {
	const outcomes = new Map<string, ShardOutcome>();
	const receipts: Receipt[] = [];
	for (const { shard, action, receipt } of plan.shards) {
		if (action === "process" || !receipt) continue;
		const error = judgeReceipt(receipt, limits.maxRejectRatio);
		outcomes.set(shard, error ? judgedOutcome(receipt, error, limits) : goodOutcome(shard, "reused"));
		if (!error && action === "reuse") receipts.push(receipt);
	}
	return { outcomes, receipts };
}

function judgeReceipt({ shard, counts, findings }: Receipt, maximum: number): LakeError | null {
	return judgeRatio(shard, counts.rows_rejected - (findings.GROUP_DROPPED ?? 0), counts.rows_in, maximum);
}

/** A shard that was made earlier and is now judged bad. With `skip` it stays in the lake, which counts its findings. */
function judgedOutcome(receipt: Receipt, error: LakeError, { onShardFailure }: JudgeLimits): ShardOutcome {
	const findings = onShardFailure === "fail" ? receipt.findings : {};
	return { ...failedOutcome(receipt.shard, error, onShardFailure), findings, receipt };
}

export function goodOutcome(shard: string, state: "done" | "reused"): ShardOutcome {
	return { shard, state, code: null, detail: null, findings: {}, kept: null, receipt: null };
}

export function failedOutcome(shard: string, error: LakeError, onShardFailure: OnShardFailure): ShardOutcome {
	const left = error instanceof ShardFailed ? error : { findings: {}, kept: null };
	return {
		shard,
		state: onShardFailure === "skip" ? "skipped" : "failed",
		code: error.code,
		detail: error.message,
		findings: left.findings,
		kept: left.kept,
		receipt: null,
	};
}

/** Why a run may not publish, or null if it may. */
export function whyNotPublish(
	/** Outcomes of the shards that failed. */
	bad: ShardOutcome[],
	{ prune }: Pick<MirrorRequest, "prune">,
	onShardFailure: OnShardFailure,
	/** Whether no shard at all would be left to publish. */
	nothingLeft: boolean,
): LakeError | null {
	if (bad.length === 0) return null;
	const names = bad.map(({ shard }) => shard).join(", ");
	if (prune) {
		const message = `Nothing was published: ${names} failed, and --prune drops nothing while a shard fails.`;
		return new LakeError("PRUNE_REFUSED", message);
	}
	if (onShardFailure === "skip" && !nothingLeft) return null;
	return new LakeError("SHARD_FAILED", `Nothing was published: ${names} failed.`);
}

/** Whether an error concerns this shard only. A full disk or a lake that refuses writes would fail the others too. */
export function concernsShardOnly({ code }: Pick<LakeError, "code">): boolean {
	return code in FINDINGS || code.startsWith("SOURCE_") || code === "HUB_ENTRY_NOT_FOUND" || code === "HUB_UNAVAILABLE";
}
