import type { Receipt, Snapshot } from "../../../schemas/records.js";
import type { Settings } from "../../../schemas/settings.js";
import { isLater } from "../../lake/commit-dates.js";
import type { Listing } from "../../ports/source.js";
import { type FetchInput, type FetchPlan, planFetch } from "./plan-fetch.js";
import { changesOf, type Reason, UNKEPT } from "./reasons.js";
import type { ShardWork } from "./shard-work.js";

/** Deciding what a run has to do. Plain data in, plain data out; no I/O. */

export interface ShardPlan extends ShardWork, FetchPlan {
	action: "reuse" | "process" | "keep";
	reason: Reason;
	/** Of `reuse` and `keep`. */
	receipt: Receipt | null;
}

/** What the lake has. */
export interface LakeState {
	listing: Pick<Listing, "commit" | "committedAt" | "explicitCommit">;
	base: Snapshot | null;
	/** Receipts that the lake has, by work id: of the base's shards, and of any that was done before. */
	receipts: Map<string, Receipt>;
	/** `committed_at` of the commits that the base's shards were read at. */
	commitDates: Map<string, string>;
}

export interface PlanInput extends LakeState, FetchInput {
	works: ShardWork[];
	settings: Settings;
	/** Shards whose rejected images are asked for and not in the lake. */
	unkept: Set<string>;
}

/** Work that is not known to be done: the lake may have a receipt of it that no snapshot names. */
export function openWorks(works: ShardWork[], lake: LakeState): ShardWork[] {
	return works.filter(({ shard, workId: id }) => !lake.receipts.has(id) && laterReceipt(shard, lake) === null);
}

/** What to do about each shard, in the order of the works. */
export function planShards(given: PlanInput): ShardPlan[] {
	return given.works.map((work) => ({
		...work,
		...decideShard(work, given),
		...planFetch(work.shard, work.input.bytes, given),
	}));
}

function decideShard(
	{ shard, workId: id, input, metadataRowsSha256 }: ShardWork,
	given: PlanInput,
): Pick<ShardPlan, "action" | "reason" | "receipt"> {
	const published = publishedAs(shard, given);
	const receipt = given.receipts.get(id) ?? null;
	const upToDate = published?.work_id === id && receipt !== null;
	const later = upToDate ? null : laterReceipt(shard, given);
	if (later) return { action: "keep", reason: "the lake has it from a later commit", receipt: later };
	if (receipt && given.unkept.has(shard)) return { action: "process", reason: UNKEPT, receipt: null };
	if (upToDate) return { action: "reuse", reason: "up to date", receipt };
	if (receipt) return { action: "reuse", reason: "done earlier, not yet published", receipt };
	const old = published && given.receipts.get(published.work_id);
	const now = { inputSha256: input.sha256, metadataRowsSha256 };
	const [reason = "new"] = old ? changesOf(old, now, given.settings) : [];
	return { action: "process", reason, receipt: null };
}

function publishedAs(shard: string, { base }: LakeState): Snapshot["shards"][number] | undefined {
	return base?.shards.find((entry) => entry.shard === shard);
}

/** The receipt of a shard that the lake has from a later commit than the one that is listed; else null. */
function laterReceipt(shard: string, lake: LakeState): Receipt | null {
	const published = publishedAs(shard, lake);
	if (!published || !isLater(published.commit, lake.listing, lake.commitDates)) return null;
	return lake.receipts.get(published.work_id) ?? null;
}
