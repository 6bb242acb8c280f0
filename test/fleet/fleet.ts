import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type CliDocument, type CliEnd, type CliProcess, documentOf, runCli } from "../support/cli.js";
import { RedisServer, until } from "../support/redis.js";
import { World, type WorldOptions } from "../support/world.js";

const count = z.int();

/** What `status --json` says of the fleet. */
const FleetStatus = z.looseObject({
	lake: z.looseObject({ exists: z.boolean(), latest: z.looseObject({ number: count }).nullable() }),
	queue: z.object({
		reachable: z.boolean(),
		name: z.string().nullable(),
		problem: z.object({ code: z.string(), message: z.string() }).nullable(),
		paused_seconds: count,
	}),
	runs: z.array(
		z.looseObject({
			run: z.string(),
			attempt: count,
			lake: z.string(),
			state: z.string(),
			shards: z.record(z.string(), count),
		}),
	),
	rates: z.object({ bytes_per_second: z.number(), images_per_second: z.number() }),
	workers: z.array(
		z.looseObject({
			host: z.string(),
			pid: count,
			version: z.string(),
			pipeline_version: count,
			shards: z.array(z.object({ run: z.string(), lake: z.string(), shard: z.string() })),
			note: z.string().nullable(),
		}),
	),
	failures: z.array(z.object({ run: z.string(), shard: z.string().nullable(), code: z.string(), message: z.string() })),
	schedules: z.array(z.looseObject({ name: z.string(), next: z.string().nullable() })),
});
export type FleetStatus = z.infer<typeof FleetStatus>;

/** A source, a Redis and worker processes: all real, all of one test file. */

let prefixes = 0;

export class Fleet {
	readonly world: World;
	readonly redis: RedisServer;

	constructor(world: World, redis: RedisServer) {
		this.world = world;
		this.redis = redis;
	}

	static async open(name: string, options: WorldOptions): Promise<Fleet> {
		const [world, redis] = await Promise.all([World.open(name, options), RedisServer.start()]);
		return new Fleet(world, redis);
	}

	/** Ends the workers too. */
	async close(): Promise<void> {
		await this.world.close();
		await this.redis.stop();
	}

	/** A lake elsewhere, with a queue that nobody else uses. */
	lakeAt(address: string, access: NodeJS.ProcessEnv): FleetLake {
		prefixes += 1;
		return new FleetLake(this, address, `test-${prefixes}`, access);
	}

	/** A lake that is not there yet, with a queue that nobody else uses. */
	lake(name: string): FleetLake {
		prefixes += 1;
		return new FleetLake(this, this.world.fresh(name), `test-${prefixes}`);
	}
}

export interface Worker extends CliProcess {
	scratch: string;
}

interface WorkerOptions {
	scratch?: string;
	env?: NodeJS.ProcessEnv;
	/** The checkout whose worker it is. */
	root?: string;
}

/** A lake, its queue and its workers. */
export class FleetLake {
	readonly workers: Worker[] = [];
	readonly fleet: Fleet;
	readonly path: string;
	readonly prefix: string;
	/** Endpoint and credentials of a lake on S3. */
	readonly access: NodeJS.ProcessEnv;

	constructor(fleet: Fleet, path: string, prefix: string, access: NodeJS.ProcessEnv = {}) {
		this.fleet = fleet;
		this.path = path;
		this.prefix = prefix;
		this.access = access;
	}

	env(): NodeJS.ProcessEnv {
		return {
			HF_ENDPOINT: this.fleet.world.hub.endpoint,
			HF_HUB_DISABLE_IMPLICIT_TOKEN: "1",
			REDIS_URL: this.fleet.redis.url,
			IRLAKE_QUEUE_PREFIX: this.prefix,
			XDG_CACHE_HOME: this.fleet.world.fresh("cache"),
			...this.access,
		};
	}

	/** Starts a worker. */
	async start(args: string[] = [], options: WorkerOptions = {}): Promise<Worker> {
		const { scratch = this.fleet.world.fresh("scratch"), env = {}, root } = options;
		const place = ["worker", "--scratch", scratch, ...args];
		const started = await this.fleet.world.start(place, { ...this.env(), ...env }, root);
		const worker = { ...started, scratch };
		this.workers.push(worker);
		return worker;
	}

	/** Starts a worker, and waits until it is ready. */
	async worker(args: string[] = [], options: WorkerOptions = {}): Promise<Worker> {
		const worker = await this.start(args, options);
		await until("the worker is ready", async () => {
			if (worker.child.exitCode !== null) throw new Error((await worker.ended).stderr);
			return (await this.redisKeys("worker:*")).some((key) => key.includes(`-${worker.pid}-`));
		});
		return worker;
	}

	/** `irlake enqueue` of the world's shards. */
	enqueue(...args: string[]): Promise<CliProcess> {
		const shards = args.includes("--shards") ? [] : ["--shards", this.fleet.world.shards.join(",")];
		const place = ["--lake", this.path, "--scratch", this.fleet.world.fresh("scratch")];
		return this.fleet.world.start(["enqueue", ...place, ...shards, "--json", ...args], {
			...this.env(),
			LOG_LEVEL: "warn",
		});
	}

	async enqueued(...args: string[]): Promise<CliDocument> {
		return documentOf(await (await this.enqueue(...args)).ended);
	}

	async mirrored(...args: string[]): Promise<CliEnd> {
		return (await this.enqueue("--wait", ...args)).ended;
	}

	/** `irlake status --json`. */
	async status(env: NodeJS.ProcessEnv = {}): Promise<FleetStatus> {
		const end = await runCli(["status", "--lake", this.path, "--json"], { ...this.env(), ...env });
		return FleetStatus.parse(documentOf(end));
	}

	async redisKeys(pattern: string): Promise<string[]> {
		return this.fleet.redis.client.keys(`${this.prefix}:${pattern}`);
	}

	/** Ids of the shard jobs that workers have. */
	active(): Promise<string[]> {
		return this.fleet.redis.client.lrange(`${this.prefix}:shards:active`, 0, -1);
	}

	/** Fields of a shard's newest job. */
	async job(shard: string): Promise<Record<string, string>> {
		const keys = (await this.redisKeys(`shards:*.${shard}`)).sort();
		return this.fleet.redis.client.hgetall(keys.at(-1) ?? "");
	}

	/** Shards with a receipt. */
	receipts(): string[] {
		const folder = join(this.path, "receipts");
		if (!existsSync(folder)) return [];
		const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
		return names.filter((name) => name.endsWith(".json")).map((name) => name.split("/")[1] ?? "");
	}

	/** Stops the workers that are left, as an operator does; all must end with 0. */
	async stopWorkers(): Promise<CliEnd[]> {
		const left = this.workers.splice(0);
		for (const { child, kill } of left) if (child.exitCode === null && child.signalCode === null) kill("SIGTERM");
		return Promise.all(left.map(({ ended }) => ended));
	}
}
