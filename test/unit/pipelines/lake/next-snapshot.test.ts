import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../pipelines/datasets/imagereward-db/dataset.js";
import { nextSnapshot, type RunResult } from "../../../../pipelines/lake/next-snapshot.js";
import { sumCounts } from "../../../../pipelines/lake/receipt.js";
import { subsetShards } from "../../../../pipelines/shards.js";
import { type Receipt, Snapshot } from "../../../../schemas/records.js";
import { DEFAULT_SETTINGS } from "../../../../schemas/settings.js";
import { hex, receipt, snapshot } from "../../../support/values.js";

const NONE = new Set<string>();

/** What a run at `commit` brings that made or found these receipts. */
function run(commit: string, receipts: Receipt[], values: Partial<RunResult> = {}): RunResult {
	return {
		dataset: imageRewardDb,
		source: { uri: "hf://zai-org/ImageRewardDB", revision: "main", commit, committed_at: "2024-03-04T05:06:07Z" },
		metadata: [],
		settings: DEFAULT_SETTINGS,
		receipts,
		skipped: [],
		prune: false,
		...values,
	};
}

/** Receipts by work id. */
function known(...receipts: Receipt[]): Map<string, Receipt> {
	return new Map(receipts.map((one) => [one.work_id, one]));
}

function metadata(split: "train" | "validation" | "test", strayRows = 0) {
	return { split, path: `metadata-${split}.parquet`, sha256: hex(`${split} metadata`), bytes: 10, strayRows };
}

const train1 = receipt("train_1", "train 1");
const train1New = receipt("train_1", "train 1 changed");
const train2 = receipt("train_2", "train 2");
const test1 = receipt("test_1", "test 1");

test("the first snapshot is number 1, in the dataset's order, and a valid record", () => {
	const next = nextSnapshot(null, run("c1", [test1, train2, train1]), known(train1, train2, test1), NONE);
	expect(next).toMatchObject({ number: 1, subset: "custom", dataset: "imagereward-db" });
	expect(next?.shards.map(({ shard, commit }) => [shard, commit])).toEqual([
		["train_1", "c1"],
		["train_2", "c1"],
		["test_1", "c1"],
	]);
	expect(Snapshot.safeParse(next).success).toBe(true);
});

test("counts are the receipts' summed, and each table's files theirs, at version number − 1", () => {
	const base = snapshot(4, "c1", [train1]);
	const next = nextSnapshot(base, run("c2", [train2]), known(train1, train2), NONE);
	expect(next?.counts).toEqual({ ...sumCounts([train1, train2]), shards: 2, metadata_stray_rows: 0 });
	expect(next?.counts.rows_in).toBe(train1.counts.rows_in + train2.counts.rows_in);
	const files = [train1, train2].flatMap((one) => one.files.map(({ table: _, ...file }) => file));
	expect(next?.tables.images).toEqual({ delta_version: 4, files });
	expect(next?.tables.pairs).toEqual({ delta_version: 4, files: [] });
});

test("nothing to do on an empty lake is no snapshot", () => {
	expect(nextSnapshot(null, run("c1", []), known(), NONE)).toBeNull();
});

test("the same work is no new snapshot, whatever commit the source is at", () => {
	const base = snapshot(1, "c1", [train1, test1]);
	expect(nextSnapshot(base, run("c2", [train1, test1]), known(train1, test1), NONE)).toBeNull();
	expect(nextSnapshot(base, run("c2", [test1]), known(train1, test1), NONE)).toBeNull();
});

test("a mirror of some shards leaves the others as they are, with their commit", () => {
	const base = snapshot(1, "c1", [train1, test1]);
	const next = nextSnapshot(base, run("c2", [train1New]), known(train1, train1New, test1), NONE);
	expect(next?.shards).toEqual([
		{ shard: "train_1", work_id: train1New.work_id, receipt: expect.stringContaining(train1New.work_id), commit: "c2" },
		base.shards[1],
	]);
});

test("a shard found unchanged carries the commit at which it was found so", () => {
	const base = snapshot(1, "c1", [train1, test1]);
	const next = nextSnapshot(base, run("c2", [train1New, test1]), known(train1New, test1), NONE);
	expect(next?.shards.map(({ commit }) => commit)).toEqual(["c2", "c2"]);
});

test("a shard that the lake has from a later commit stays", () => {
	const base = snapshot(1, "c2", [train1, test1]);
	const given = known(train1, train1New, train2, test1);
	expect(nextSnapshot(base, run("c1", [train1New]), given, new Set(["train_1"]))).toBeNull();
	const next = nextSnapshot(base, run("c1", [train1New, train2]), given, new Set(["train_1", "test_1"]));
	expect(next?.shards.map(({ work_id, commit }) => [work_id, commit])).toEqual([
		[train1.work_id, "c2"],
		[train2.work_id, "c1"],
		[test1.work_id, "c2"],
	]);
});

test("a shard that stays without its receipt is damage, not a smaller lake", () => {
	const base = snapshot(1, "c1", [train1, test1]);
	expect(() => nextSnapshot(base, run("c2", [train2]), known(train2, test1), NONE)).toThrow(
		expect.objectContaining({ code: "LAKE_DAMAGED", path: base.shards[0]?.receipt }),
	);
});

describe("prune", () => {
	const base = snapshot(1, "c1", [train1, train2, test1]);

	test("drops the shards that the run does not name", () => {
		const next = nextSnapshot(base, run("c1", [train1], { prune: true }), known(train1, train2, test1), NONE);
		expect(next?.shards.map(({ shard }) => shard)).toEqual(["train_1"]);
		expect(next?.tables.images?.files).toHaveLength(1);
		expect(next?.counts.shards).toBe(1);
	});

	test("with nothing to drop is no new snapshot", () => {
		expect(nextSnapshot(base, run("c1", [train1, train2, test1], { prune: true }), known(), NONE)).toBeNull();
	});
});

describe("skipped shards", () => {
	const failed = { shard: "train_1", code: "ZIP_CORRUPT", detail: "train_1 ends early" };

	test("keep their last good version, and stand in skipped too", () => {
		const base = snapshot(1, "c1", [train1]);
		const next = nextSnapshot(base, run("c2", [train2], { skipped: [failed] }), known(train1, train2), NONE);
		expect(next?.shards.map(({ shard, commit }) => [shard, commit])).toEqual([
			["train_1", "c1"],
			["train_2", "c2"],
		]);
		expect(next?.skipped).toEqual([failed]);
	});

	test("without a version are missing from shards", () => {
		const next = nextSnapshot(null, run("c1", [train2], { skipped: [failed] }), known(train2), NONE);
		expect(next?.shards.map(({ shard }) => shard)).toEqual(["train_2"]);
		expect(next?.skipped).toEqual([failed]);
	});

	test("alone are no snapshot", () => {
		expect(nextSnapshot(null, run("c1", [], { skipped: [failed] }), known(), NONE)).toBeNull();
		const base = snapshot(1, "c1", [train1]);
		expect(nextSnapshot(base, run("c2", [], { skipped: [failed] }), known(train1), NONE)).toBeNull();
	});

	test("stay told while nobody looks at them, and are no longer once they are done", () => {
		const base = { ...snapshot(1, "c1", [train2]), skipped: [failed] };
		expect(nextSnapshot(base, run("c2", [test1]), known(train2, test1), NONE)?.skipped).toEqual([failed]);
		expect(nextSnapshot(base, run("c2", [train1]), known(train1, train2), NONE)?.skipped).toEqual([]);
		const again = { ...failed, code: "JSON_MISSING" };
		const next = nextSnapshot(base, run("c2", [test1], { skipped: [again] }), known(train2, test1), NONE);
		expect(next?.skipped).toEqual([again]);
	});
});

describe("the subset", () => {
	const whole = (subset: string): Receipt[] =>
		subsetShards(imageRewardDb, subset).map((shard) => receipt(shard, shard));

	test.each(["1k", "2k", "4k", "8k"])("is named %s where exactly its shards are present", (subset) => {
		const receipts = whole(subset);
		expect(nextSnapshot(null, run("c1", receipts), known(...receipts), NONE)?.subset).toBe(subset);
	});

	test.each([
		["one shard fewer", whole("1k").slice(1)],
		["one shard more", [...whole("1k"), receipt("train_5", "train_5")]],
		["as many, but others", [...whole("1k").slice(1), receipt("train_9", "train_9")]],
	])("is custom with %s", (_, receipts) => {
		expect(nextSnapshot(null, run("c1", receipts), known(...receipts), NONE)?.subset).toBe("custom");
	});
});

describe("the metadata", () => {
	test("is told of every split present: as read in this run, else as the base has it", () => {
		const base = snapshot(1, "c1", [train1]);
		base.source.metadata = [{ split: "train", path: "metadata-train.parquet", sha256: hex("old"), bytes: 5 }];
		const { strayRows: _, ...file } = metadata("test");
		const next = nextSnapshot(base, run("c2", [test1], { metadata: [metadata("test")] }), known(train1, test1), NONE);
		expect(next?.source.metadata).toEqual([...base.source.metadata, file]);
	});

	test("of a split that is not present is not told, nor are its stray rows counted", () => {
		const read = [metadata("train", 3), metadata("test", 4)];
		const next = nextSnapshot(null, run("c1", [train1], { metadata: read }), known(train1), NONE);
		expect(next?.source.metadata.map(({ split }) => split)).toEqual(["train"]);
		expect(next?.counts.metadata_stray_rows).toBe(3);
	});
});
