import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runCli } from "../../support/cli.js";
import { digestOf } from "../../support/lake.js";
import { RedisServer, until } from "../../support/redis.js";
import { ROOT, tempDir } from "../../support/root.js";
import { makeSample } from "../sample/make.js";
import { cachedSource, trainShards } from "./samples.js";

/**
 * What the fleet costs, on two cores: two workers of one core each against one process that uses both, on the same
 * shards, from the plan's end to the publish (so without the processes' start); and the queue alone, with 36 shards
 * that have nothing left to do.
 */

const SHARDS = trainShards(8);
const IMAGES = 400;
const SEED = 11;
const EMPTY = [
	...Array.from({ length: 32 }, (_, i) => `train_${i + 1}`),
	"validation_1",
	"validation_2",
	"test_1",
	"test_2",
];

const root = tempDir("bench-fleet");
const redis = await RedisServer.start();
const path = (name: string): string => join(root.path, name);
const started: { kill(): void }[] = [];

/** A worker that may use these cores only. */
async function startWorker(prefix: string, cores: string, concurrency: number): Promise<void> {
	const command = [process.execPath, join(ROOT, "bin/irlake.js"), "worker", "--concurrency", String(concurrency)];
	const env = { ...process.env, REDIS_URL: redis.url, IRLAKE_QUEUE_PREFIX: prefix, LOG_LEVEL: "warn" };
	const scratch = ["--scratch", path(`scratch-${prefix}-${cores}`)];
	const child = spawn("taskset", ["-c", cores, ...command, ...scratch], {
		env,
		stdio: ["ignore", "ignore", "inherit"],
	});
	started.push({ kill: () => child.kill("SIGTERM") });
	await until("the worker is ready", async () => {
		return (await redis.client.keys(`${prefix}:worker:*`)).some((key) => key.includes(`-${child.pid}-`));
	});
}

/** Seconds from when the flow was put on the queue, or its first shard was taken, to the publish's end. */
async function queueSeconds(prefix: string, from: "added" | "taken"): Promise<number> {
	const { client } = redis;
	const [key = ""] = (await client.keys(`${prefix}:publish:*.1`)).filter((name) => /-[0-9a-f]{6}\.1$/.test(name));
	await until("the publish", async () => client.hget(key, "finishedOn"), 120);
	const { finishedOn, timestamp } = await client.hgetall(key);
	if (from === "added") return (Number(finishedOn) - Number(timestamp)) / 1000;
	const jobs = await client.keys(`${prefix}:shards:*.1.*`);
	const taken = await Promise.all(jobs.map((job) => client.hget(job, "processedOn")));
	return (Number(finishedOn) - Math.min(...taken.map(Number))) / 1000;
}

/** Seconds of `irlake mirror` from its plan's end, as its log tells it, to its own end. */
async function mirrorSeconds(source: string, lake: string): Promise<number> {
	const args = ["mirror", "--source", source, "--shards", SHARDS.join(","), "--lake", lake, "--concurrency", "2"];
	const child = spawn(
		process.execPath,
		[join(ROOT, "bin/irlake.js"), ...args, "--scratch", path("scratch"), "--json"],
		{
			stdio: ["ignore", "ignore", "pipe"],
		},
	);
	const [log] = await Promise.all([text(child.stderr), once(child, "close")]);
	const ended = Date.now();
	const planned = log.split("\n").find((line) => line.includes("shards to do"));
	if (child.exitCode !== 0 || !planned) throw new Error(log);
	return (ended - (JSON.parse(planned) as { time: number }).time) / 1000;
}

async function enqueue(prefix: string, source: string, lake: string, shards: string[]): Promise<void> {
	const args = ["enqueue", "--source", source, "--shards", shards.join(","), "--lake", lake, "--json"];
	const env = { REDIS_URL: redis.url, IRLAKE_QUEUE_PREFIX: prefix };
	const { code, stderr } = await runCli([...args, "--scratch", path("scratch")], env);
	if (code !== 0) throw new Error(stderr);
}

try {
	const source = await cachedSource(SHARDS.length, IMAGES, SEED);
	// Twice in turn, and the better of each: the machine has other things to do as well.
	const alone: number[] = [];
	const fleet: number[] = [];
	for (const round of [1, 2]) {
		alone.push(await mirrorSeconds(source, path(`alone-${round}`)));
		const prefix = `speed-${round}`;
		await Promise.all([startWorker(prefix, "0", 1), startWorker(prefix, "1", 1)]);
		// Once before it counts, into a lake of its own: modules are loaded then, and the source's hashes known, as they
		// are in one process at its plan's end.
		await enqueue(prefix, source, path(`warm-${round}`), SHARDS);
		await queueSeconds(prefix, "added");
		await redis.client.flushall();
		await enqueue(prefix, source, path(`fleet-${round}`), SHARDS);
		fleet.push(await queueSeconds(prefix, "added"));
		for (const worker of started.splice(0)) worker.kill();
	}
	const same = digestOf(path("alone-1")) === digestOf(path("fleet-1"));
	const empty = path("empty-source");
	await makeSample(empty, { shards: EMPTY, images: 4, size: 24 });
	await enqueue("empty", empty, path("empty"), EMPTY);
	const args = ["mirror", "--source", empty, "--shards", EMPTY.join(","), "--lake", path("empty"), "--json"];
	const { code } = await runCli([...args, "--scratch", path("scratch")]);
	if (code !== 0) throw new Error("the mirror of the small shards failed");
	await startWorker("empty", "0,1", 2);
	const overhead = await queueSeconds("empty", "taken");
	const [one, two] = [Math.min(...alone), Math.min(...fleet)];
	const told = { one_process_seconds: one, two_workers_seconds: two, ratio: Number((one / two).toFixed(3)), same };
	const times = { shards: SHARDS.length, images: SHARDS.length * IMAGES, all: { alone, fleet } };
	process.stdout.write(`${JSON.stringify({ ...told, ...times, queue_seconds_36_empty_shards: overhead }, null, 2)}\n`);
} finally {
	for (const worker of started) worker.kill();
	await redis.stop();
	root.remove();
}
