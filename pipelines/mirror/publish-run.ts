import type { Receipt, Snapshot } from "../../schemas/records.js";
import { commitDatesOf, isLater } from "../lake/commit-dates.js";
import { nextSnapshot, type RunResult } from "../lake/next-snapshot.js";
import { publish } from "../lake/publish.js";
import { readReceipts } from "../lake/receipt.js";
import type { StoredSnapshot } from "../lake/snapshot.js";
import { type ClaimTools, guardClaim } from "../lake/sweeping/claim-guard.js";
import type { SweepStore } from "../lake/sweeping/sweep.js";
import { tablesOf } from "../lake/tables.js";
import type { Listing } from "../ports/source.js";
import type { Reader } from "../ports/store.js";
import { workFolder } from "../scratch/work-folder.js";
import { type MirrorOutcome, type OnShardFailure, type ShardOutcomes, whyNotPublish } from "./outcome.js";
import { type MirrorPlan, type MirrorRequest, requireCovered } from "./plan/plan-mirror.js";
import type { ShardTools } from "./shard.js";

/** What the shards of a run came to. */
interface ShardResults {
	/** Of shards made in this run and of those found done. */
	receipts: Receipt[];
	skipped: Snapshot["skipped"];
}

/**
 * Publishes what a run made, on top of whatever snapshot is the newest by then.
 * @returns the snapshot, or null when no work id changed
 * @throws LAKE_SWEPT where vacuum took what the run was to publish: plan again
 */
async function publishRun(
	{ plan, request }: Pick<EndedRun, "plan" | "request">,
	results: ShardResults,
	tools: PublishTools,
	signal: AbortSignal,
): Promise<StoredSnapshot | null> {
	const { store, dataset } = tools;
	const { listing, settings } = plan;
	const run: RunResult = {
		dataset,
		source: {
			uri: listing.uri,
			revision: listing.revision,
			commit: listing.commit,
			committed_at: listing.committedAt,
		},
		metadata: [...plan.metadata.values()],
		settings,
		prune: request.prune,
		...results,
	};
	const claim = await claimTools(tools, signal);
	const guard = (base: Snapshot | null, next: Snapshot) => guardClaim(store, base, next, claim);
	const plans = async (base: StoredSnapshot | null): Promise<Snapshot | null> => {
		requireCovered(request, settings, base?.snapshot ?? null);
		const receipts = await readReceipts(store, base?.snapshot.shards.map(({ receipt }) => receipt) ?? []);
		for (const receipt of results.receipts) receipts.set(receipt.work_id, receipt);
		const keep = await laterShards(store, base?.snapshot ?? null, listing);
		return nextSnapshot(base?.snapshot ?? null, run, receipts, keep);
	};
	return publish(store, tablesOf(dataset), plans, guard);
}

async function laterShards(store: Reader, base: Snapshot | null, listing: Listing): Promise<Set<string>> {
	const dates = await commitDatesOf(store, base, listing);
	const later = base?.shards.filter(({ commit }) => isLater(commit, listing, dates)) ?? [];
	return new Set(later.map(({ shard }) => shard));
}

/** A planned run whose shards are over. */
interface EndedRun {
	plan: MirrorPlan;
	request: Pick<MirrorRequest, "wanted" | "prune">;
	onShardFailure: OnShardFailure;
}

type PublishTools = Pick<ShardTools, "dataset" | "tables" | "scratch" | "clock"> & { store: SweepStore };

/** The run's last step: publishes what its shards made, or says why not. */
export async function publishOutcomes(
	{ plan, request, onShardFailure }: EndedRun,
	{ outcomes, receipts }: ShardOutcomes,
	tools: PublishTools,
	signal: AbortSignal,
): Promise<MirrorOutcome> {
	const shards = plan.shards.flatMap(({ shard }) => outcomes.get(shard) ?? []);
	const bad = shards.filter(({ state }) => state === "failed" || state === "skipped");
	const nothingLeft = plan.base === null && receipts.length === 0;
	const failure = whyNotPublish(bad, request, onShardFailure, nothingLeft);
	if (failure) return { published: null, shards, receipts, failure };
	const skipped = bad.map(({ shard, code, detail }) => ({ shard, code: code ?? "", detail: detail ?? "" }));
	const published = await publishRun({ plan, request }, { receipts, skipped }, tools, signal);
	return { published, shards, receipts, failure: null };
}

/** What a publish looks at its files with, before its claim. */
export async function claimTools(
	{ tables, scratch, clock }: Pick<PublishTools, "tables" | "scratch" | "clock">,
	signal: AbortSignal,
): Promise<ClaimTools> {
	return { tables, clock, signal, work: await workFolder(scratch, "publish") };
}
