import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CliDocument, documentOf, runCli } from "../support/cli.js";
import { digestOf } from "../support/lake.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { makeSample } from "../tools/sample/make.js";
import { Fleet, type FleetLake } from "./fleet.js";

/** Each failure ends on the queue as it does in one process; what a retry cannot mend is tried once. */

const describeFleet = await redisOrSkip();
const SHARDS = ["train_1", "train_2", "test_1"];

describeFleet("failures", () => {
	let fleet: Fleet;
	/** A source whose train_2 is no honest zip. */
	let unsafe: string;

	beforeAll(async () => {
		fleet = await Fleet.open("failures", { shards: SHARDS, images: 4, size: 64 });
		unsafe = fleet.world.fresh("unsafe");
		const defect = { code: "ZIP_UNSAFE" as const, shard: "train_2", variant: null };
		await makeSample(unsafe, { shards: SHARDS, images: 4, size: 64, defect, planted: null });
	}, 120_000);
	afterAll(() => fleet.close());

	/** What `mirror` says of the same source, and the lake it leaves. */
	async function inOneProcess(...args: string[]): Promise<{ document: CliDocument; digest: string }> {
		const lake = fleet.world.fresh("reference");
		const place = ["--lake", lake, "--scratch", fleet.world.fresh("scratch"), "--shards", SHARDS.join(",")];
		const end = await runCli(["mirror", ...place, ...args, "--json"], { HF_ENDPOINT: fleet.world.hub.endpoint });
		return { document: documentOf(end), digest: digestOf(lake) };
	}

	async function onTheQueue(lake: FleetLake, ...args: string[]): Promise<{ document: CliDocument; digest: string }> {
		const document = documentOf(await lake.mirrored(...args));
		return { document, digest: digestOf(lake.path) };
	}

	/** Without what differs between two runs of anything. */
	function comparable({ document, digest }: { document: CliDocument; digest: string }): unknown {
		const { seconds, ...rest } = document as Record<string, unknown>;
		return { ...rest, digest };
	}

	test.each([
		["fail", 1, "failed"],
		["skip", 3, "published"],
	])(
		"an unsafe zip under %s: tried once, exit %i, document and lake as in one process",
		async (mode, exit, state) => {
			const lake = fleet.lake(mode);
			const args = ["--source", unsafe, "--on-shard-failure", mode];
			await Promise.all([lake.worker(), lake.worker()]);
			const found = await onTheQueue(lake, ...args);
			expect(found.document).toMatchObject({ exit_code: exit, state });
			expect(found.document.shards?.find(({ shard }) => shard === "train_2")?.code).toBe("ZIP_UNSAFE");
			expect(comparable(found)).toEqual(comparable(await inOneProcess(...args)));
			expect((await lake.job("train_2")).atm).toBe("1");
			const { failures } = await lake.status();
			expect(failures).toMatchObject([{ shard: "train_2", code: "ZIP_UNSAFE" }]);
			// It holds nobody back: the next run tries the shard again, and nothing that was done.
			const again = await onTheQueue(lake, ...args);
			expect(again.document).toMatchObject({ exit_code: exit });
			expect(again.document.shards?.map(({ state: how }) => how)).toEqual([
				"reused",
				mode === "fail" ? "failed" : "skipped",
				"reused",
			]);
			await lake.stopWorkers();
		},
		120_000,
	);

	test("a Hub that fails for a while: the shard is tried again, and costs nothing else", async () => {
		const lake = fleet.lake("again");
		await lake.worker(["--retries", "0"]);
		const path = "images/train/train_1.zip";
		await fleet.world.hub.faults([{ match: { route: "resolve", path }, times: 2, kind: "status", status: 503 }]);
		const { document } = await onTheQueue(lake);
		expect(document).toMatchObject({ exit_code: 0, state: "published" });
		expect(Number((await lake.job("train_1")).atm)).toBeGreaterThan(1);
		expect((await lake.job("train_2")).atm).toBe("1");
		await lake.stopWorkers();
	}, 120_000);

	test("schema drift ends the run before any job is made", async () => {
		const lake = fleet.lake("drift");
		const drift = fleet.world.fresh("drift");
		const defect = { code: "METADATA_SCHEMA_DRIFT" as const, shard: null, variant: null };
		await makeSample(drift, { shards: SHARDS, images: 4, size: 24, defect, planted: null });
		const { document } = await onTheQueue(lake, "--source", drift);
		expect(document).toMatchObject({ exit_code: 1, error: { code: "METADATA_SCHEMA_DRIFT" } });
		expect((await lake.redisKeys("*")).filter((key) => !key.endsWith(":meta"))).toEqual([]);
	}, 60_000);
});
