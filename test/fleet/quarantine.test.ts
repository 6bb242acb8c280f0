import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { digestOf } from "../support/lake.js";
import { mirror, rowsOf } from "../support/mirror-run.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { makeSample } from "../tools/sample/make.js";
import { Fleet } from "./fleet.js";

/** Workers keep rejected images as one process does, and whoever waits for the run judges its findings. */

const describeRedis = await redisOrSkip();
const SHARDS = ["train_1", "test_1"];

describeRedis("a fleet", () => {
	let fleet: Fleet;
	let source: string[];
	let reference: string;
	let known: string;

	beforeAll(async () => {
		fleet = await Fleet.open("fleet-quarantine", { shards: SHARDS, images: 4, size: 24 });
		const folder = fleet.world.fresh("defects");
		await makeSample(folder, { shards: SHARDS, defects: true, size: 32, planted: null });
		source = ["--source", `file://${folder}`];
		[reference, known] = [fleet.world.fresh("reference"), `${fleet.world.fresh("known")}.jsonl`];
		const made = await mirror({ folder }, reference, ["--shards", SHARDS.join(","), "--keep-rejected"]);
		expect(made).toMatchObject({ code: 0 });
		const rows = (await rowsOf(reference, "quarantine")).map((row) => `${JSON.stringify(row)}\n`);
		writeFileSync(known, rows.slice(1).join(""));
	}, 300_000);
	afterAll(() => fleet?.close());

	test("keeps what one process keeps, and tells what is new", async () => {
		const lake = fleet.lake("kept");
		await lake.worker();
		const end = documentOf(await lake.mirrored(...source, "--keep-rejected", "--expect", known));
		expect(end).toMatchObject({ exit_code: 0, state: "published", expected_not_found: 0 });
		expect(end.new).toHaveLength(1);
		expect(digestOf(lake.path)).toBe(digestOf(reference));
		const again = documentOf(await lake.mirrored(...source, "--keep-rejected", "--expect", known));
		expect(again).toMatchObject({ exit_code: 0, state: "up_to_date", findings_new: end.findings_new, new: end.new });
		await lake.stopWorkers();
	}, 180_000);

	test("keeps later what an earlier run did not", async () => {
		const lake = fleet.lake("later");
		await lake.worker();
		expect(documentOf(await lake.mirrored(...source))).toMatchObject({ exit_code: 0, state: "published" });
		const later = documentOf(await lake.mirrored(...source, "--keep-rejected"));
		expect(later).toMatchObject({ exit_code: 0, state: "up_to_date", number: 1 });
		expect(later.shards?.map(({ state }) => state)).toEqual(["done", "done"]);
		expect(digestOf(lake.path)).toBe(digestOf(reference));
		await lake.stopWorkers();
	}, 180_000);

	test("judges failed shards by what the worker left, where that is on this machine", async () => {
		const lake = fleet.lake("failed");
		await lake.worker();
		const asked = [...source, "--max-reject-ratio", "0.001", "--expect", known];
		const failed = documentOf(await lake.mirrored(...asked));
		expect(failed).toMatchObject({ exit_code: 1, state: "failed", findings_new: { REJECT_RATIO_EXCEEDED: 2 } });
		expect(failed.new).toHaveLength(3);
		await lake.stopWorkers();
	}, 180_000);

	test("refuses a bad file before anything is put on the queue", async () => {
		const bad = `${fleet.world.fresh("bad")}.jsonl`;
		writeFileSync(bad, '{"code":"NONE"}\n');
		const lake = fleet.lake("bad");
		const end = documentOf(await lake.mirrored(...source, "--expect", bad));
		expect(end).toMatchObject({ exit_code: 2, error: { code: "USAGE", path: bad } });
		expect(await lake.redisKeys("*")).toEqual([]);
		expect(digestOf(lake.path)).toBe(digestOf(join(lake.path, "nothing")));
	}, 60_000);
});
