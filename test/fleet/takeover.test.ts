import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { digestOf, readPinned } from "../support/lake.js";
import { until } from "../support/redis.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { Fleet, type FleetLake, type Worker } from "./fleet.js";

/** A shard whose worker is stopped, suspended or unfit goes to another worker, and nothing comes out otherwise. */

const describeFleet = await redisOrSkip();
const SHARDS = ["train_1", "test_1"];

describeFleet("a shard is taken over", () => {
	let fleet: Fleet;
	let undisturbed: string;

	beforeAll(async () => {
		// A download takes about four seconds.
		fleet = await Fleet.open("takeover", { shards: SHARDS, images: 8, size: 96, bytesPerSecond: 60_000 });
		const lake = fleet.world.lake("reference");
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		undisturbed = digestOf(lake.path);
	}, 300_000);
	afterAll(() => fleet.close());

	/** The next body of a shard stalls in its midst: its worker is surely at work when something happens to it. */
	function stalled(shard: string): Promise<void> {
		const match = { route: "cdn" as const, path: `images/${shard.split("_")[0]}/${shard}.zip` };
		return fleet.world.hub.faults([{ match, times: 1, kind: "stall-after", bytes: 20_000 }]);
	}

	/** Resolves with one of these shards, once it is being downloaded. */
	async function downloading(lake: FleetLake, shards = SHARDS): Promise<string> {
		return until("a shard is being downloaded", async () => {
			for (const shard of shards) {
				const { progress = "{}", finishedOn } = await lake.job(shard);
				const { bytes_done: done = 0 } = JSON.parse(progress) as { bytes_done?: number };
				if (done > 0 && finishedOn === undefined) return shard;
			}
			return null;
		});
	}

	test("SIGTERM under load: exit 0 within the grace time, the shard is another worker's within five seconds", async () => {
		const lake = fleet.lake("sigterm");
		const first = await lake.worker(["--concurrency", "1", "--grace", "2"]);
		await stalled("train_1");
		const end = lake.mirrored("--shards", "train_1");
		await downloading(lake);
		const second = await lake.worker(["--concurrency", "1"]);
		const told = performance.now();
		first.kill("SIGTERM");
		const stopped = await first.ended;
		const seconds = (performance.now() - told) / 1000;
		expect(stopped).toMatchObject({ code: 0, signal: null });
		expect(stopped.stderr).toContain("handed back: the worker is stopping");
		expect(seconds).toBeLessThan(4);
		// Long before its lock would have run out.
		await until("the other worker has it", async () => (await lake.active()).length === 1, 5 - seconds);
		expect(await end).toMatchObject({ code: 0 });
		expect((await lake.job("train_1")).atm ?? "1").toBe("1");
		expect(second.child.exitCode).toBeNull();
		await lake.stopWorkers();
	}, 120_000);

	test("SIGTERM to an idle worker, and to one that finishes in time: exit 0 at once, and after the shard", async () => {
		const lake = fleet.lake("graceful");
		const busy = await lake.worker(["--concurrency", "1", "--grace", "60"]);
		const idle = await lake.worker(["--concurrency", "1"]);
		const end = lake.mirrored("--shards", "test_1");
		await downloading(lake);
		const ends = await lake.stopWorkers();
		expect(ends).toMatchObject([{ code: 0 }, { code: 0 }]);
		expect(ends.map(({ stderr }) => stderr).join("")).not.toContain("handed back");
		expect(lake.receipts()).toEqual(["test_1"]);
		expect([busy.scratch, idle.scratch]).toHaveLength(2);
		await lake.worker();
		expect(await end).toMatchObject({ code: 0 });
		await lake.stopWorkers();
	}, 120_000);

	test("suspended until its lock is lost: the other's result stands, the first writes nothing and says why", async () => {
		const lake = fleet.lake("suspended");
		const workers = [await lake.worker(["--concurrency", "1"]), await lake.worker(["--concurrency", "1"])];
		await stalled("train_1");
		const end = lake.mirrored();
		const stopped = await holderOf(lake, workers, await downloading(lake, ["train_1"]));
		stopped.kill("SIGSTOP");
		expect(await end).toMatchObject({ code: 0 });
		const alive = async (): Promise<boolean> => {
			return (await lake.redisKeys("worker:*")).some((key) => key.includes(`-${stopped.pid}-`));
		};
		expect(await alive()).toBe(false);
		stopped.kill("SIGCONT");
		await until("it gives a sign of life", alive);
		stopped.kill("SIGTERM");
		const { code, stderr } = await stopped.ended;
		expect(code).toBe(0);
		expect(stderr).toContain("as its lock ran out and it is another worker's now. Nothing of it was made visible.");
		expect(stderr).not.toContain("handed back");
		expect(digestOf(lake.path)).toBe(undisturbed);
		expect(readPinned(lake.path)).toBe(1);
		await lake.stopWorkers();
	}, 240_000);

	async function holderOf(lake: FleetLake, workers: Worker[], shard: string): Promise<Worker> {
		const { progress = "{}" } = await lake.job(shard);
		const { worker: name = "" } = JSON.parse(progress) as { worker?: string };
		const holder = workers.find(({ pid }) => name.includes(`-${pid}-`));
		if (!holder) throw new Error(`nobody holds ${shard}: ${progress}`);
		return holder;
	}

	test("a Hub that answers 429 for twenty seconds costs no attempt, and the queue goes on at the window's end", async () => {
		const lake = fleet.lake("limited");
		await lake.worker(["--concurrency", "1"]);
		const ended = performance.now() + 20_000;
		const limit = async (): Promise<void> => {
			const left = Math.ceil((ended - performance.now()) / 1000);
			const headers = { RateLimit: `"resolvers";r=0;t=${left}` };
			const fault = {
				match: { route: "resolve" as const },
				times: 10_000,
				kind: "status" as const,
				status: 429,
				headers,
			};
			await fleet.world.hub.faults(left > 0 ? [fault] : []);
		};
		await fleet.world.hub.reset();
		const enqueued = await lake.enqueued();
		expect(enqueued).toMatchObject({ state: "enqueued", exit_code: 0 });
		await limit();
		const paused = until("the queue is paused", async () => (await lake.status()).queue.paused_seconds > 0);
		while (performance.now() < ended - 10_000) await setTimeout(250).then(limit);
		await paused;
		// Another worker comes in the midst of it, and begins nothing.
		await lake.worker(["--concurrency", "1"]);
		const bodies = async () => (await fleet.world.hub.counters()).cdn.requests;
		const before = await bodies();
		while (performance.now() < ended) {
			await setTimeout(250).then(limit);
			if (performance.now() < ended - 1000) {
				expect(await lake.active()).toHaveLength(1);
				expect(await bodies()).toBe(before);
			}
		}
		// By the Hub's own count, since progress is told once a second only.
		// The Hub tells whole seconds, so the end that it announced may lie up to one behind ours: two from there.
		await until("a shard is downloaded again", async () => (await bodies()) > before, 3);
		const end = documentOf(await lake.mirrored());
		expect(end).toMatchObject({ exit_code: 0, state: "published" });
		const jobs = await Promise.all(SHARDS.map((shard) => lake.job(shard)));
		expect(jobs.map(({ atm }) => Number(atm))).toEqual([1, 1]);
		expect(jobs.map(({ failedReason }) => failedReason)).toEqual([undefined, undefined]);
		expect(digestOf(lake.path)).toBe(undisturbed);
		await lake.stopWorkers();
	}, 120_000);
});
