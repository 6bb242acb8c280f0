import { receiptFile } from "../../pipelines/lake/paths.js";
import { readReceipts } from "../../pipelines/lake/receipt.js";
import { readSnapshot, type StoredSnapshot } from "../../pipelines/lake/snapshot.js";
import {
	concernsShardOnly,
	earlierOutcomes,
	failedOutcome,
	goodOutcome,
	type MirrorOutcome,
	whyNotPublish,
} from "../../pipelines/mirror/outcome.js";
import type { MirrorPlan } from "../../pipelines/mirror/plan/plan-mirror.js";
import type { Reader } from "../../pipelines/ports/store.js";
import type { RunRequest } from "../../schemas/jobs.js";
import { abortable, pause } from "../abortable.js";
import type { RunProgress } from "../report/progress.js";
import { errorOf, shardErrorOf } from "./job-failure.js";
import type { FleetQueue, RunEntry, ShardEntry } from "./queue.js";
import type { RunKey } from "./start-run.js";

/** Follows a run on the queue to its end, as if it ran in this process. */

const LOOK_MS = 500;

/** Resolves with the run when nothing of it is left to do; null where the queue lost it. */
export async function followRun(
	queue: FleetQueue,
	key: RunKey,
	progress: RunProgress,
	signal: AbortSignal,
): Promise<RunEntry | null> {
	const drawing = new Drawing(progress);
	for (;;) {
		// While the queue's server is away a question waits for it; Ctrl-C must not.
		const entry = await abortable(queue.run(key), signal);
		if (!entry) return null;
		for (const shard of entry.shards) drawing.draw(shard, entry.job.request.on_shard_failure === "skip");
		if (!entry.live) return entry;
		await pause(LOOK_MS, signal);
	}
}

/** Makes what the queue says into the calls that a run in this process would make. */
class Drawing {
	readonly #progress: RunProgress;
	readonly #seen = new Map<
		string,
		{ bytes: number; images: number; found: boolean; fetched: number; ended: boolean }
	>();

	constructor(progress: RunProgress) {
		this.#progress = progress;
	}

	draw(entry: ShardEntry, skip: boolean): void {
		const { shard, state, progress: now } = entry;
		let seen = this.#seen.get(shard);
		if (!seen) {
			if (state === "waiting" && !now) return;
			seen = { bytes: 0, images: 0, found: false, fetched: 0, ended: false };
			this.#seen.set(shard, seen);
			this.#progress.shardStarted(shard, now?.bytes ?? 0);
		}
		if (seen.ended) return;
		if (now) {
			if (!seen.found && now.images > 0) {
				this.#progress.imagesFound(shard, now.images);
				seen.found = true;
			}
			// A shard that another worker began anew goes back in truth; on the screen it waits until that is made up for.
			if (now.bytes_done > seen.bytes) this.#progress.received(shard, now.bytes_done - seen.bytes);
			if (now.fetched > seen.fetched) this.#progress.fetched(now.fetched - seen.fetched);
			for (let image = seen.images; image < now.images_done; image++) this.#progress.imageDone(shard);
			seen.bytes = Math.max(seen.bytes, now.bytes_done);
			seen.fetched = Math.max(seen.fetched, now.fetched);
			seen.images = Math.max(seen.images, now.images_done);
		}
		if (state !== "done" && state !== "failed") return;
		seen.ended = true;
		this.#progress.shardDone(shard, state === "done" ? "done" : skip ? "skipped" : "failed");
		if (entry.failure) this.#progress.note("warn", entry.failure.message, { shard, code: entry.failure.code });
	}
}

/**
 * What a run on the queue came to, as the in-process runner tells it.
 * @param plan as it was made before the run, or while it was under way
 * @throws what ended the whole run
 */
export async function outcomeOf(
	entry: RunEntry,
	plan: MirrorPlan,
	request: RunRequest,
	store: Reader,
): Promise<MirrorOutcome> {
	const onShardFailure = request.on_shard_failure;
	const found = earlierOutcomes(plan, { maxRejectRatio: request.max_reject_ratio, onShardFailure });
	for (const { shard, state, result, failure } of entry.shards) {
		if (failure && !concernsShardOnly(failure)) throw errorOf(failure);
		if (failure) found.outcomes.set(shard, failedOutcome(shard, shardErrorOf(shard, failure), onShardFailure));
		else if (state === "done") {
			found.outcomes.set(shard, goodOutcome(shard, result?.state === "done" ? "done" : "reused"));
		}
	}
	const shards = plan.shards.flatMap(({ shard }) => found.outcomes.get(shard) ?? []);
	const receipts = await readReceipts(
		store,
		plan.shards.map(({ shard, workId }) => receiptFile.path(shard, workId)),
	);
	const told = { shards, receipts: [...receipts.values()] };
	if (entry.publish === "done") return { ...told, published: await publishedBy(entry, store), failure: null };
	const bad = shards.filter(({ code }) => code !== null);
	const failure = whyNotPublish(bad, request, onShardFailure, plan.base === null && receipts.size === 0);
	if (failure) return { ...told, published: null, failure };
	if (entry.failure) throw errorOf(entry.failure);
	throw new Error("the publish failed without a reason");
}

async function publishedBy({ result }: RunEntry, store: Reader): Promise<StoredSnapshot | null> {
	return result?.state === "published" && result.snapshot ? readSnapshot(store, result.snapshot) : null;
}
