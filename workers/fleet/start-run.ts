import { randomBytes } from "node:crypto";
import type { MirrorPlan } from "../../pipelines/mirror/plan/plan-mirror.js";
import { PIPELINE_VERSION } from "../../pipelines/mirror/plan/work-id.js";
import { LakeError } from "../../schemas/errors.js";
import { JOB_FORMAT, type LakeClaim, type PublishJob, type RunJob, type RunRequest } from "../../schemas/jobs.js";
import { pause } from "../abortable.js";
import type { FleetQueue } from "./queue.js";
import { pinOf } from "./request.js";
import { type Registry, requestHash } from "./worker-registry.js";

/** One run a lake at a time: who comes while one is under way joins it. */

/** Seconds after which a run that was claimed and never put on the queue is nobody's. */
const CLAIM_SECONDS = 30;
const LOOK_MS = 200;

export interface Fleet {
	queue: FleetQueue;
	registry: Registry;
}

/** Which run, and which time it was put on the queue. */
export type RunKey = Pick<LakeClaim, "run" | "attempt">;

/** The lake's run that is under way, or null. Throws RUN_IN_PROGRESS where it was asked for other things. */
export async function runUnderWay(
	{ queue, registry }: Fleet,
	lakeId: string,
	request: RunRequest,
	signal: AbortSignal,
): Promise<{ key: RunKey | null; seen: string }> {
	for (;;) {
		const { claim, text } = await registry.claim(lakeId);
		if (!claim) return { key: null, seen: text };
		const entry = await queue.run(claim);
		// Claimed a moment ago: its jobs are on their way.
		const coming = entry === null && (await registry.seconds()) - claim.claimed < CLAIM_SECONDS;
		if (!coming && !entry?.live) return { key: null, seen: text };
		if (claim.request !== requestHash(request)) throw otherRun(claim.run, request);
		if (entry) return { key: { run: claim.run, attempt: claim.attempt }, seen: text };
		await pause(LOOK_MS, signal);
	}
}

function otherRun(run: string, { lake }: RunRequest): LakeError {
	return new LakeError("RUN_IN_PROGRESS", `Run ${run} with other options is under way for ${lake}.`, { path: lake });
}

interface Planned {
	lakeId: string;
	request: RunRequest;
	plan: MirrorPlan;
	/** Of the run that this one continues on an emptied queue. */
	again?: RunKey;
}

/**
 * Puts a planned run on the queue, or joins the one that another started meanwhile.
 * @throws RUN_IN_PROGRESS
 */
export async function startRun(
	fleet: Fleet,
	{ lakeId, request, plan, again }: Planned,
	signal: AbortSignal,
): Promise<{ key: RunKey; joined: boolean }> {
	for (;;) {
		const { key: present, seen } = await runUnderWay(fleet, lakeId, request, signal);
		if (present) return { key: present, joined: true };
		const key = again ? { run: again.run, attempt: again.attempt + 1 } : { run: newRunId(), attempt: 1 };
		if (!(await fleet.registry.setClaim(lakeId, seen, { ...key, request: requestHash(request) }))) continue;
		await fleet.queue.addRun(...jobsOf(key, lakeId, request, plan));
		return { key, joined: false };
	}
}

function jobsOf(key: RunKey, lakeId: string, request: RunRequest, plan: MirrorPlan): Parameters<FleetQueue["addRun"]> {
	const todo = plan.shards.filter(({ action }) => action === "process");
	const run: RunJob = {
		format: JOB_FORMAT,
		...key,
		lake_id: lakeId,
		pipeline_version: PIPELINE_VERSION,
		settings: plan.settings,
		request,
		pin: pinOf(plan.listing),
	};
	const publish: PublishJob = { ...run, todo: todo.map(({ shard }) => shard) };
	return [publish, todo.map(({ shard, workId }) => ({ ...run, shard, work_id: workId }))];
}

/** `20260102-030405-a1b2c3` */
function newRunId(): string {
	const time = new Date().toISOString().replace(/[-:]/g, "").slice(0, 15).replace("T", "-");
	return `${time}-${randomBytes(3).toString("hex")}`;
}
