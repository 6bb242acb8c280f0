import { LakeError } from "../../schemas/errors.js";
import type { WorkerInfo } from "../../schemas/jobs.js";
import type { CommandContext } from "../command-line/command.js";
import type { QueueOptions } from "../command-line/options.js";
import { countedText, countText, durationText, sizeText, tableText } from "../report/format.js";
import { openQueue, type QueueConnection } from "../wire.js";
import { FleetQueue, publishId, type RunEntry, type Schedule, type ShardState } from "./queue.js";
import { Registry } from "./worker-registry.js";

/** What the queue knows: runs, shards by state, workers, failures, schedules. */

const RUNS = 10;

interface FleetStatus {
	name: string;
	/** Why the queue cannot be asked, or null. */
	error: LakeError | null;
	/** Seconds that the Hub's wish to wait still holds the shards back. */
	paused: number;
	runs: RunEntry[];
	workers: WorkerInfo[];
	schedules: Schedule[];
}

/** Keeps its connection while it is watched. */
export class FleetWatch {
	readonly #context: CommandContext<QueueOptions>;
	#open: { connection: QueueConnection; queue: FleetQueue; registry: Registry } | null = null;
	#lost = false;

	constructor(context: CommandContext<QueueOptions>) {
		this.#context = context;
	}

	/** Never throws because the queue is away: the lake can be shown without it. Throws USAGE for a wrong address. */
	async read(): Promise<FleetStatus> {
		const nothing = { paused: 0, runs: [], workers: [], schedules: [] };
		try {
			if (this.#lost) await this.close();
			const { connection, queue, registry } = await this.#opened();
			const [paused, runs, workers, schedules] = await Promise.all([
				queue.pausedFor(),
				queue.recentRuns(RUNS),
				registry.workers(),
				queue.schedules(),
			]);
			return { name: connection.name, error: null, paused: paused / 1000, runs, workers, schedules };
		} catch (error) {
			if (!(error instanceof LakeError) || error.code === "USAGE") throw error;
			return { name: "", error, ...nothing };
		}
	}

	async close(): Promise<void> {
		const opened = this.#open;
		this.#open = null;
		this.#lost = false;
		opened?.connection.close();
	}

	async #opened(): Promise<{ connection: QueueConnection; queue: FleetQueue; registry: Registry }> {
		if (this.#open) return this.#open;
		const { options, env } = this.#context;
		const onState = (state: "down" | "up"): void => {
			this.#lost = state === "down";
		};
		const connection = await openQueue(options.queue_prefix, env, { patient: false, onState });
		this.#open = { connection, queue: new FleetQueue(connection), registry: new Registry(connection) };
		return this.#open;
	}
}

function countStates({ shards }: RunEntry): Record<ShardState, number> {
	const counts: Record<ShardState, number> = { waiting: 0, active: 0, retrying: 0, done: 0, failed: 0 };
	for (const { state } of shards) counts[state] += 1;
	return counts;
}

/** `publish` done is the run's end; a failed shard ends it too, once the others are over. */
function runState(run: RunEntry): "running" | "published" | "up_to_date" | "failed" {
	if (run.live) return "running";
	return run.publish === "done" ? (run.result?.state ?? "published") : "failed";
}

function failuresOf(runs: RunEntry[]) {
	return runs.flatMap(({ job, failure, shards }) => {
		const own = failure ? [{ run: job.run, shard: null, code: failure.code, message: failure.message }] : [];
		const theirs = shards.flatMap(({ shard, failure: why }) => {
			return why ? [{ run: job.run, shard, code: why.code, message: why.message }] : [];
		});
		return [...theirs, ...own];
	});
}

function sumRates(workers: WorkerInfo[]): { bytes_per_second: number; images_per_second: number } {
	return {
		bytes_per_second: workers.reduce((sum, { bytes_per_second: rate }) => sum + rate, 0),
		images_per_second: workers.reduce((sum, { images_per_second: rate }) => sum + rate, 0),
	};
}

/** For `--json`. */
export function fleetDocument({ name, error, paused, runs, workers, schedules }: FleetStatus): Record<string, unknown> {
	return {
		queue: {
			reachable: error === null,
			name: error === null ? name : null,
			problem: error && { code: error.code, message: error.message },
			paused_seconds: Math.ceil(paused),
		},
		runs: runs.map((run) => ({
			run: run.job.run,
			attempt: run.job.attempt,
			lake: run.job.request.lake,
			lake_id: run.job.lake_id,
			source: run.job.request.source,
			commit: run.job.pin?.commit ?? null,
			state: runState(run),
			started_at: new Date(run.startedAt).toISOString(),
			publish: run.publish,
			number: run.result?.number ?? null,
			shards: { total: run.shards.length, ...countStates(run) },
		})),
		rates: sumRates(workers),
		workers,
		failures: failuresOf(runs),
		schedules: schedules.map(scheduleDocument),
	};
}

export function scheduleDocument({ name, cron, tz, next, request }: Schedule): Record<string, unknown> {
	const time = next === null ? null : new Date(next).toISOString();
	return { name, cron, tz, next: time, source: request.source, lake: request.lake, shards: request.wanted.length };
}

/** For people. */
export function sayFleet(status: FleetStatus, say: (text: string) => void): void {
	const { error, runs, workers, schedules, paused } = status;
	if (error) {
		say(`\nno queue: ${error.message}`);
		say("  The lake is shown without its runs and workers; irlake mirror needs no queue.");
		return;
	}
	if (paused > 0) say(`\nthe Hub asks to wait: no shard is begun for ${durationText(paused)}`);
	if (runs.length > 0) {
		const head = ["run", "state", "lake", "waiting", "active", "retrying", "done", "failed"];
		say(`\n${tableText([head, ...runs.map(runRow)])}`);
	}
	if (workers.length > 0) {
		const { bytes_per_second: bytes, images_per_second: images } = sumRates(workers);
		say(`\n${countedText(workers.length, "worker")}: ${sizeText(bytes)}/s, ${countText(Math.round(images))} images/s`);
		say(tableText([["host", "pid", "version", "shards"], ...workers.map(workerRow)]));
		for (const { host, pid, note } of workers) if (note) say(`  ${host} ${pid} takes no job: ${note}`);
	} else say("\nno worker: start one with irlake worker");
	for (const { run, shard, code, message } of failuresOf(runs))
		say(`\n${run} ${shard ?? "publish"}: ${code}\n  ${message}`);
	if (schedules.length > 0) say(`\n${schedulesText(schedules)}`);
}

function runRow(run: RunEntry): (string | number)[] {
	const { waiting, active, retrying, done, failed } = countStates(run);
	const counts = [waiting, active, retrying, done, failed];
	return [publishId(run.job), runState(run), run.job.request.lake, ...counts];
}

function workerRow({ host, pid, version, pipeline_version, shards }: WorkerInfo): (string | number)[] {
	return [host, String(pid), `${version}/${pipeline_version}`, shards.map(({ shard }) => shard).join(", ") || "-"];
}

export function schedulesText(schedules: Schedule[]): string {
	const rows = schedules.map(({ name, cron, tz, next, request }) => {
		const time = next === null ? "-" : new Date(next).toISOString().slice(0, 16);
		return [name, cron, tz ?? "UTC", `${time}Z`, request.lake];
	});
	return tableText([["schedule", "when", "zone", "next", "lake"], ...rows]);
}
