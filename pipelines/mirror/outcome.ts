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
	/** Of a failed shard: what had been found, and where it is kept. */
	findings: Receipt["findings"];
	kept: string | null;
	/** Of one that was made earlier and is judged bad now. */
	receipt: Receipt | null;
}

/** The outcomes of a run's shards, as far as they are known. */
export interface ShardOutcomes {
	/** By the shard's name. */
	outcomes: Map<string, ShardOutcome>;
	/** Of the good ones. */
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

/** What a run's shards are judged by. */
interface Judging {
	maxRejectRatio: number;
	onShardFailure: OnShardFailure;
}

/** Outcomes of the shards that earlier runs made: each receipt is judged by this run's limits. */
export function earlierOutcomes(plan: Pick<MirrorPlan, "shards">, judging: Judging): ShardOutcomes {
	const outcomes = new Map<string, ShardOutcome>();
	const receipts: Receipt[] = [];
	for (const { shard, action, receipt } of plan.shards) {
		if (action === "process" || !receipt) continue;
		const error = judgeReceipt(receipt, judging.maxRejectRatio);
		outcomes.set(shard, error ? judgedOutcome(receipt, error, judging) : goodOutcome(shard, "reused"));
		if (!error && action === "reuse") receipts.push(receipt);
	}
	return { outcomes, receipts };
}

function judgeReceipt({ shard, counts, findings }: Receipt, maximum: number): LakeError | null {
	return judgeRatio(shard, counts.rows_rejected - (findings.GROUP_DROPPED ?? 0), counts.rows_in, maximum);
}

/** A shard that was made earlier and is judged bad now. Under `skip` it stays in the lake, and is counted there. */
function judgedOutcome(receipt: Receipt, error: LakeError, { onShardFailure }: Judging): ShardOutcome {
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

/** Why a run publishes nothing, or null. */
export function whyNotPublish(
	/** Outcomes of the shards that failed. */
	bad: ShardOutcome[],
	{ prune }: Pick<MirrorRequest, "prune">,
	onShardFailure: OnShardFailure,
	/** Whether there would be no shard at all to publish. */
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

/** Whether an error says nothing of other shards. A full disk or a lake that refuses writes would fail them as well. */
export function concernsShardOnly({ code }: Pick<LakeError, "code">): boolean {
	return code in FINDINGS || code.startsWith("SOURCE_") || code === "HUB_ENTRY_NOT_FOUND" || code === "HUB_UNAVAILABLE";
}
