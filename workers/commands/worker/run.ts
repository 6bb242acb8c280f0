import { hostname } from "node:os";
import { sweepParts } from "../../../pipelines/fetch/parts.js";
import { PIPELINE_VERSION } from "../../../pipelines/mirror/plan/work-id.js";
import type { Progress } from "../../../pipelines/ports/run.js";
import { LakeError } from "../../../schemas/errors.js";
import { aborted } from "../../abortable.js";
import type { CommandContext, CommandResult } from "../../command-line/command.js";
import type { NetworkOptions, QueueOptions } from "../../command-line/options.js";
import { tellState } from "../../fleet/connection-state.js";
import { Consumer } from "../../fleet/consume.js";
import { Work } from "../../fleet/job-handlers.js";
import { Meter } from "../../fleet/meter.js";
import { FleetQueue } from "../../fleet/queue.js";
import { Registry } from "../../fleet/worker-registry.js";
import { requireScratch } from "../../preflight.js";
import { VERSION } from "../../version.js";
import { openQueue } from "../../wire.js";

interface Options extends NetworkOptions, QueueOptions {
	concurrency: number;
	/** Seconds. */
	grace: number;
	scratch: string | undefined;
}

const TELL_MS = 2000;
const MOST_GRACE_SECONDS = 3600;
/** Of the grace time, what is kept for letting go of a shard and handing it back. */
const LET_GO_MS = 5000;

/** `irlake worker`: takes jobs until it is told to stop. */
export async function worker(context: CommandContext<Options>): Promise<CommandResult> {
	const { options, env, log, signal } = context;
	if (options.grace > MOST_GRACE_SECONDS) {
		throw new LakeError("USAGE", `--grace cannot be ${options.grace} s: a worker has an hour at most to stop.`);
	}
	const scratch = await requireScratch(options, env);
	const connection = await openQueue(options.queue_prefix, env, { patient: true, onState: tellState(log), signal });
	const queue = new FleetQueue(connection);
	const registry = new Registry(connection);
	const meter = new Meter();
	const note = notes(context, queue);
	const id = `${hostname()}-${process.pid}-${Date.now().toString(36)}`;
	const stopped = new AbortController();
	const work = new Work({
		worker: id,
		scratch,
		datasets: context.datasets,
		env,
		note,
		meter,
		network: options,
		signal: stopped.signal,
	});
	const told = tellOthers({ id, concurrency: options.concurrency, registry, meter });
	const consumer = new Consumer({
		connection,
		queue,
		concurrency: options.concurrency,
		handlers: {
			shard: (job, lock) => work.shard(job, lock),
			publish: (job, failures, lock) => work.publish(job, failures, lock),
			tick: (job, lock) => work.tick(job, { queue, registry }, lock),
		},
		note,
		unfit: (reason) => {
			told.note = reason;
			if (reason !== null) log.warn(`this worker leaves the queue to others for a while: ${reason}`);
		},
	});
	log.info({ worker: id, queue: connection.name, prefix: connection.prefix }, "worker is ready");
	await aborted(signal);
	await stopWithin(options.grace * 1000, consumer);
	stopped.abort(signal.reason);
	await Promise.all([work.close(), told.end()]);
	await sweepParts(scratch);
	await queue.close();
	connection.close();
	log.info({ worker: id }, "worker has stopped");
	return { exit: 0, document: {} };
}

async function stopWithin(grace: number, consumer: Consumer): Promise<void> {
	// Whatever hangs, a server that is away above all: by then the process is gone.
	setTimeout(() => process.exit(0), grace).unref();
	await consumer.stop(Math.max(grace / 2, grace - LET_GO_MS));
}

/** Whatever part of a worker hears it: while the Hub asks to wait, nobody begins another shard. */
function notes({ log }: CommandContext, queue: FleetQueue): Progress["note"] {
	return (level, message, fields = {}) => {
		log[level](fields, message);
		if (fields.code !== "HUB_RATE_LIMITED" || typeof fields.wait_seconds !== "number") return;
		queue.pause(1000 * fields.wait_seconds).catch(() => {});
	};
}

interface Teller {
	id: string;
	concurrency: number;
	registry: Registry;
	meter: Meter;
}

/** Gives signs of life, until it is ended. */
function tellOthers({ id, concurrency, registry, meter }: Teller): { note: string | null; end(): Promise<void> } {
	const about = {
		id,
		host: hostname(),
		pid: process.pid,
		version: VERSION,
		pipeline_version: PIPELINE_VERSION,
		started_at: new Date().toISOString(),
		concurrency,
	};
	const tell = (): void => {
		const info = { ...about, shards: meter.shards, note: told.note, ...meter.rates() };
		registry.tellWorker(info).catch(() => {});
	};
	const timer = setInterval(tell, TELL_MS);
	const end = async (): Promise<void> => {
		clearInterval(timer);
		await registry.forgetWorker(id);
	};
	const told: { note: string | null; end(): Promise<void> } = { note: null, end };
	tell();
	return told;
}
