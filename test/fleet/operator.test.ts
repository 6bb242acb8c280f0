import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import { type CliEnd, documentOf, runCli } from "../support/cli.js";
import { latestSnapshot } from "../support/lake.js";
import { RedisServer, until } from "../support/redis.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { tempDir } from "../support/root.js";
import { Fleet, type FleetLake } from "./fleet.js";

/** What an operator has: schedules, status, a queue with a password, with TLS, or none at all. */

const describeFleet = await redisOrSkip();
const SHARDS = ["train_1", "test_1"];

const Schedules = z.looseObject({
	state: z.string(),
	exit_code: z.int(),
	schedules: z.array(z.looseObject({ name: z.string(), next: z.string(), tz: z.string(), cron: z.string() })),
	error: z.looseObject({ code: z.string() }).nullable(),
});

describeFleet("an operator", () => {
	let fleet: Fleet;

	beforeAll(async () => {
		fleet = await Fleet.open("operator", { shards: SHARDS, images: 4, size: 64 });
	}, 120_000);
	afterAll(() => fleet.close());

	async function schedule(lake: FleetLake, ...args: string[]): Promise<z.infer<typeof Schedules>> {
		const end = await runCli(["schedule", ...args, "--json"], lake.env());
		documentOf(end);
		return Schedules.parse(JSON.parse(end.stdout));
	}

	function set(lake: FleetLake, name: string, cron: string, ...more: string[]): Promise<z.infer<typeof Schedules>> {
		const what = ["--lake", lake.path, "--shards", SHARDS.join(","), ...more];
		return schedule(lake, "set", name, "--cron", cron, ...what);
	}

	test("a schedule set twice stays as it is, follows its zone, and is removed once", async () => {
		const lake = fleet.lake("idempotent");
		const first = await set(lake, "nightly", "0 3 * * *", "--tz", "Asia/Tokyo");
		expect(first).toMatchObject({ state: "set", exit_code: 0 });
		// Three in the morning in Tokyo is six in the evening in Greenwich.
		expect(first.schedules[0]?.next).toMatch(/T18:00:00\.000Z$/);
		expect(await set(lake, "nightly", "0 3 * * *", "--tz", "Asia/Tokyo")).toEqual({ ...first, state: "unchanged" });
		expect(await set(lake, "nightly", "0 4 * * *", "--tz", "Asia/Tokyo")).toMatchObject({ state: "set" });
		expect((await schedule(lake, "list")).schedules).toMatchObject([{ name: "nightly", cron: "0 4 * * *" }]);
		expect(await schedule(lake, "remove", "nightly")).toMatchObject({ state: "removed", exit_code: 0 });
		const gone = await schedule(lake, "remove", "nightly");
		expect(gone).toMatchObject({ exit_code: 2, error: { code: "SCHEDULE_NOT_FOUND" } });
		for (const [cron, tz] of [
			["never", "UTC"],
			["0 3 * * *", "Mars/Olympus"],
		] as const) {
			expect(await set(lake, "wrong", cron, "--tz", tz)).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
		}
		expect((await schedule(lake, "list")).schedules).toEqual([]);
	}, 120_000);

	test("a schedule mirrors, is not doubled while its run goes on, and publishes nothing when nothing is new", async () => {
		const lake = fleet.lake("scheduled");
		// Each second; the first run takes longer than that.
		await set(lake, "often", "* * * * * *");
		await lake.worker(["--concurrency", "1"]);
		await until("a run has published", async () => (await lake.status()).lake.latest?.number === 1);
		const results = async (): Promise<string[]> => {
			const keys = (await lake.redisKeys("schedules:repeat:often:*")).filter((key) => /:\d+$/.test(key));
			const jobs = await Promise.all(keys.map((key) => fleet.redis.client.hget(key, "returnvalue")));
			return jobs.flatMap((text) => (text ? [(JSON.parse(text) as { state: string }).state] : []));
		};
		await until("a tick found nothing new", async () => (await results()).includes("up_to_date"));
		await fleet.world.hub.reset();
		const before = (await results()).length;
		await until("two more ticks", async () => (await results()).length >= before + 2);
		expect(await schedule(lake, "remove", "often")).toMatchObject({ state: "removed" });
		const states = await results();
		expect(states.filter((state) => state === "enqueued")).toHaveLength(1);
		expect(states.filter((state) => !["enqueued", "joined", "up_to_date"].includes(state))).toEqual([]);
		expect((await lake.status()).runs).toHaveLength(1);
		expect(latestSnapshot(lake.path).number).toBe(1);
		// A listing, and not a byte of a file.
		const { cdn, routes } = await fleet.world.hub.counters();
		expect(routes.tree).toBeGreaterThan(0);
		expect(cdn.requests).toBe(0);
		await lake.stopWorkers();
	}, 120_000);

	test("status shows workers with their shards, rates and the run; without Redis it shows the lake and says so", async () => {
		const lake = fleet.lake("status");
		// Slow enough to be seen at work, whatever else the machine does.
		const worker = await lake.worker(["--concurrency", "1", "--bandwidth", "5k"]);
		const end = lake.mirrored();
		const busy = await until("a worker is seen at work", async () => {
			const status = await lake.status();
			const working = status.workers.some(({ shards }) => shards.length > 0) && status.rates.bytes_per_second > 0;
			return working && status.runs.some(({ state }) => state === "running") ? status : null;
		});
		expect(busy.runs).toMatchObject([{ state: "running", attempt: 1, lake: lake.path, shards: { total: 2 } }]);
		expect(busy.workers).toMatchObject([{ pid: worker.pid, shards: [{ lake: lake.path }] }]);
		expect(await end).toMatchObject({ code: 0 });
		const over = await lake.status();
		expect(over).toMatchObject({ queue: { reachable: true }, lake: { latest: { number: 1 } } });
		expect(over.runs).toMatchObject([{ state: "published", number: 1, shards: { done: 2 } }]);
		const down = await lake.status({ REDIS_URL: "redis://127.0.0.1:1" });
		expect(down).toMatchObject({
			lake: { latest: { number: 1 } },
			queue: { reachable: false, problem: { code: "QUEUE_UNAVAILABLE" } },
			runs: [],
			workers: [],
		});
		const text = await runCli(["status", "--lake", lake.path], { ...lake.env(), REDIS_URL: "redis://127.0.0.1:1" });
		expect(text).toMatchObject({ code: 0 });
		expect(text.stdout).toContain("snapshot 1");
		expect(text.stdout).toContain("no queue: Redis at redis://127.0.0.1:1 cannot be reached");
		const watched = await fleet.world.start(["status", "--lake", lake.path, "--watch"], lake.env());
		await new Promise((resolve) => watched.child.stdout?.once("data", resolve));
		watched.kill("SIGINT");
		expect(await watched.ended).toMatchObject({ code: 0 });
		await lake.stopWorkers();
	}, 120_000);

	test("a password, TLS, a server that is not there: it works, or says what is wrong and never the password", async () => {
		const { path, remove } = tempDir("tls");
		const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
		const [cert, key] = [join(path, "cert.pem"), join(path, "key.pem")];
		const openssl = [
			"req",
			"-x509",
			"-newkey",
			"ec",
			"-pkeyopt",
			"ec_paramgen_curve:prime256v1",
			"-nodes",
			"-days",
			"2",
		];
		execFileSync("openssl", [...openssl, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
		const redis = await RedisServer.start(
			[
				"--requirepass",
				"s3cret-word",
				"--tls-cert-file",
				cert,
				"--tls-key-file",
				key,
				"--tls-ca-cert-file",
				cert,
				"--tls-auth-clients",
				"no",
				"--tls-port",
				"0",
			],
			(port) => `redis://:s3cret-word@127.0.0.1:${port}`,
		);
		try {
			const tlsPort = redis.port + 1;
			await redis.client.config("SET", "tls-port", String(tlsPort));
			const lake = fleet.lake("password");
			const ask = (url: string): Promise<CliEnd> => {
				return runCli(["schedule", "list", "--json"], { ...lake.env(), REDIS_URL: url, NODE_EXTRA_CA_CERTS: cert });
			};
			const right = await ask(`redis://:s3cret-word@127.0.0.1:${redis.port}`);
			expect(documentOf(right)).toMatchObject({ exit_code: 0 });
			const tls = await ask(`rediss://default:s3cret-word@localhost:${tlsPort}`);
			expect(documentOf(tls)).toMatchObject({ exit_code: 0 });
			for (const [url, exit, code] of [
				[`redis://127.0.0.1:${redis.port}`, 2, "QUEUE_REFUSED"],
				[`redis://:wrong-word@127.0.0.1:${redis.port}`, 2, "QUEUE_REFUSED"],
				["redis://:s3cret-word@127.0.0.1:1", 1, "QUEUE_UNAVAILABLE"],
				["http://:s3cret-word@127.0.0.1", 2, "USAGE"],
			] as const) {
				const end = await ask(url);
				expect(documentOf(end)).toMatchObject({ exit_code: exit, error: { code } });
				expect(end.stdout + end.stderr).not.toMatch(/s3cret-word|wrong-word/);
			}
		} finally {
			await redis.stop();
			remove();
		}
	}, 60_000);
});
