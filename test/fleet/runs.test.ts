import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { digestOf, latestSnapshot, readPinned } from "../support/lake.js";
import { until } from "../support/redis.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { Fleet } from "./fleet.js";
import { otherRelease } from "./patched.js";

/** One run a lake at a time; a queue may be lost at any moment; work of another release or lake is handed back. */

const describeFleet = await redisOrSkip();
const SHARDS = ["train_1", "train_2", "test_1"];
const TOKEN = "hf_SecretSecretSecret";

describeFleet("runs", () => {
	let fleet: Fleet;
	let undisturbed: string;

	beforeAll(async () => {
		// A download takes about two seconds.
		fleet = await Fleet.open("runs", { shards: SHARDS, images: 6, size: 64, bytesPerSecond: 30_000 });
		const lake = fleet.world.lake("reference");
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		undisturbed = digestOf(lake.path);
	}, 300_000);
	afterAll(() => fleet.close());

	test("enqueued again it is joined, with other options refused; payloads are small and hold no secret", async () => {
		const lake = fleet.lake("join");
		const first = (await lake.enqueued()) as Record<string, unknown>;
		expect(first).toMatchObject({ state: "enqueued", exit_code: 0, shards_to_do: 3 });
		expect(await lake.enqueued()).toMatchObject({ state: "joined", exit_code: 0, run: first.run });
		for (const other of [
			["--shards", "train_1"],
			["--on-shard-failure", "skip"],
			["--max-reject-ratio", "0.5"],
		]) {
			const refused = await lake.enqueued(...other);
			expect(refused).toMatchObject({ state: "failed", exit_code: 2, error: { code: "RUN_IN_PROGRESS" } });
		}
		const status = await lake.status();
		expect(status.runs).toMatchObject([{ run: first.run, state: "running", shards: { total: 3, waiting: 3 } }]);
		for (const key of await lake.redisKeys("*.*")) {
			if ((await fleet.redis.client.type(key)) !== "hash") continue;
			const { data = "" } = await fleet.redis.client.hgetall(key);
			expect(data.length).toBeLessThan(4096);
		}
		// Two follow it, from its start, and tell the same end; the workers have a token, and the queue does not.
		const ends = [lake.mirrored(), lake.mirrored()];
		await lake.worker([], { env: { HF_TOKEN: TOKEN } });
		const documents = (await Promise.all(ends)).map(documentOf);
		expect(documents).toMatchObject([
			{ exit_code: 0, state: "published", number: 1 },
			{ exit_code: 0, state: "published", number: 1 },
		]);
		expect(documents[0]?.shards).toEqual(SHARDS.map((shard) => ({ shard, state: "done", code: null, detail: null })));
		expect(digestOf(lake.path)).toBe(undisturbed);
		expect(await everything(lake.prefix)).not.toContain(TOKEN);
		// Over, it holds nobody back.
		expect(await lake.enqueued("--shards", "train_1")).toMatchObject({ state: "up_to_date", exit_code: 0 });
		await lake.stopWorkers();
	}, 120_000);

	/** All that stands under a prefix, as text. */
	async function everything(prefix: string): Promise<string> {
		const { client } = fleet.redis;
		const keys = await client.keys(`${prefix}:*`);
		const values = await Promise.all(
			keys.map(async (key) => {
				const kind = await client.type(key);
				if (kind === "hash") return client.hgetall(key);
				if (kind === "string") return client.get(key);
				if (kind === "stream") return client.xrange(key, "-", "+");
				return kind === "list" ? client.lrange(key, 0, -1) : kind;
			}),
		);
		return JSON.stringify([keys, values]);
	}

	test("a queue that is wiped in mid-run, and a server that crashes: what was done stays, --wait goes on", async () => {
		const lake = fleet.lake("wiped");
		await lake.worker(["--concurrency", "1"]);
		const waiting = lake.mirrored();
		await until("a receipt", async () => lake.receipts().length > 0);
		const done = lake.receipts();
		await fleet.redis.client.flushall();
		await until("it is there once more", async () => (await lake.redisKeys("publish:*.2")).length > 0);
		await fleet.redis.restart();
		const end = await waiting;
		expect(documentOf(end)).toMatchObject({ exit_code: 0, state: "published", number: 1 });
		expect(end.stderr).toContain("the queue lost the run: it is put there once more");
		expect(digestOf(lake.path)).toBe(undisturbed);
		const again = await lake.redisKeys("shards:*");
		for (const shard of done) expect(again.filter((key) => key.endsWith(`.2.${shard}`))).toEqual([]);
		await lake.stopWorkers();
	}, 120_000);

	test("work of another pipeline version is handed back and said; a worker of its own does it", async () => {
		const lake = fleet.lake("versions");
		const root = otherRelease(fleet.world.fresh("release"), 7);
		const unfit = await lake.worker([], { root });
		const end = lake.mirrored();
		const { workers } = await until("the operator is told", async () => {
			const status = await lake.status();
			return status.workers.some(({ note }) => note !== null) ? status : null;
		});
		expect(workers).toMatchObject([{ pid: unfit.pid, pipeline_version: 7, shards: [] }]);
		expect(workers[0]?.note).toContain("pipeline version 1; this worker has 7");
		await lake.worker();
		expect(documentOf(await end)).toMatchObject({ exit_code: 0, state: "published" });
		expect(digestOf(lake.path)).toBe(undisturbed);
		const attempts = await Promise.all(SHARDS.map(async (shard) => Number((await lake.job(shard)).atm)));
		expect(attempts).toEqual([1, 1, 1]);
		const [first] = await lake.stopWorkers();
		expect(first?.stderr).toContain("is handed back: the run was planned with pipeline version 1");
	}, 120_000);

	test("another lake under the same path: the job is handed back, and nothing is written there", async () => {
		const lake = fleet.lake("other-lake");
		expect(await lake.enqueued("--shards", "test_1")).toMatchObject({ state: "enqueued" });
		const record = join(lake.path, ".irlake/lake.json");
		const id = "00000000-0000-4000-8000-000000000000";
		writeFileSync(record, JSON.stringify({ format: 1, id }));
		await lake.worker();
		await until("the operator is told", async () => {
			return (await lake.status()).workers.some(({ note }) => note?.includes(`is another lake (${id})`));
		});
		expect(lake.receipts()).toEqual([]);
		expect(await lake.stopWorkers()).toMatchObject([{ code: 0 }]);
	}, 60_000);

	test("two publishers at once: one wins, the other ends cleanly, and nothing is lost", async () => {
		const here = fleet.lake("publishers");
		// The same lake by way of another queue, and by a mirror in one process with another shard.
		const there = fleet.lake("unused");
		Object.assign(there, { path: here.path });
		await Promise.all([here.worker(), there.worker()]);
		const ends = await Promise.all([
			here.mirrored("--shards", "train_1,train_2"),
			there.mirrored("--shards", "train_1,train_2"),
			fleet.world
				.lake("unused")
				.at(here.path)
				.mirror({ shards: ["test_1"] }),
		]);
		expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
		expect(readPinned(here.path)).toBe(2);
		expect(latestSnapshot(here.path).shards.map(({ shard }) => shard)).toEqual(SHARDS);
		await Promise.all([here.stopWorkers(), there.stopWorkers()]);
	}, 120_000);
});
