import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import { openWorks, type PlanInput, planShards } from "../../../../../pipelines/mirror/plan/decide.js";
import { type ShardWork, shardWorks } from "../../../../../pipelines/mirror/plan/shard-work.js";
import { workId } from "../../../../../pipelines/mirror/plan/work-id.js";
import type { Receipt } from "../../../../../schemas/records.js";
import { DEFAULT_SETTINGS, type Settings } from "../../../../../schemas/settings.js";
import { hex, listing, receipt, snapshot, zipInput } from "../../../../support/values.js";

const ROWS = hex("rows");

/** The receipt of train_1's work with these inputs. */
function done(zip: string, rows = ROWS, settings: Settings = DEFAULT_SETTINGS): Receipt {
	const input = zipInput("train_1", hex(zip));
	const id = workId({ dataset: "imagereward-db", shard: "train_1", input, metadataRowsSha256: rows, settings });
	return receipt("train_1", zip, {
		work_id: id,
		inputs: { zip_sha256: hex(zip), zip_bytes: 1000, metadata_rows_sha256: rows },
		settings,
	});
}

/** The work on shards whose zips are listed with these hashes. */
function worksOf(zips: Record<string, string>, wanted = Object.keys(zips)): ShardWork[] {
	const asked = { dataset: imageRewardDb, wanted, listing: listing("c2", zips), settings: DEFAULT_SETTINGS };
	return shardWorks(asked, new Map(wanted.map((shard) => [shard, ROWS])));
}

/** Input for a plan of train_1, whose zip is listed with this hash at commit c2; the lake has nothing yet. */
function input(zip: string, values: Partial<PlanInput> = {}): PlanInput {
	return {
		works: worksOf({ train_1: hex(zip) }),
		listing: listing("c2", {}),
		selections: new Map(),
		remote: new Set(["train_1"]),
		settings: DEFAULT_SETTINGS,
		base: null,
		receipts: new Map(),
		commitDates: new Map(),
		unkept: new Set(),
		...values,
	};
}

/** A lake that has published this receipt at commit c1. */
function lakeWith(...receipts: [Receipt, ...Receipt[]]): Pick<PlanInput, "base" | "receipts"> {
	return { base: snapshot(1, "c1", [receipts[0]]), receipts: new Map(receipts.map((one) => [one.work_id, one])) };
}

function decision(given: PlanInput): string[] {
	const [plan] = planShards(given);
	return [plan?.action ?? "", plan?.reason ?? ""];
}

describe("what is to be done, and why", () => {
	test("a shard that the lake does not have is new", () => {
		expect(decision(input("zip"))).toEqual(["process", "new"]);
	});

	test("one whose work id is published is up to date, at whatever commit", () => {
		expect(decision(input("zip", lakeWith(done("zip"))))).toEqual(["reuse", "up to date"]);
	});

	test("a published one whose receipt is gone is made again", () => {
		expect(decision(input("zip", { ...lakeWith(done("zip")), receipts: new Map() }))).toEqual(["process", "new"]);
	});

	test("one that was done and never published is not done again", () => {
		const found = done("zip");
		const receipts = new Map([[found.work_id, found]]);
		expect(decision(input("zip", { receipts }))).toEqual(["reuse", "done earlier, not yet published"]);
	});

	test("another zip", () => {
		expect(decision(input("zip", lakeWith(done("old zip"))))).toEqual(["process", "zip changed"]);
	});

	test("another metadata row", () => {
		expect(decision(input("zip", lakeWith(done("zip", hex("old rows")))))).toEqual(["process", "metadata changed"]);
	});

	test("other settings", () => {
		const old = done("zip", ROWS, { ...DEFAULT_SETTINGS, verify: "structure" });
		expect(decision(input("zip", lakeWith(old)))).toEqual(["process", "settings changed"]);
	});

	test("another pipeline version", () => {
		const old = { ...done("zip"), work_id: hex("of an older version") };
		expect(decision(input("zip", lakeWith(old)))).toEqual(["process", "pipeline changed"]);
	});
});

test("a shard done earlier is processed once more where its rejected images are asked for and not kept", () => {
	const unkept = new Set(["train_1"]);
	const published = lakeWith(done("zip"));
	expect(decision(input("zip", { ...published, unkept }))).toEqual(["process", "rejected images not kept yet"]);
	expect(planShards(input("zip", { ...published, unkept }))[0]?.receipt).toBeNull();
	expect(decision(input("other", { ...published, unkept }))).toEqual(["process", "zip changed"]);
});

describe("work whose receipt is looked for in the lake", () => {
	const open = (given: PlanInput) => openWorks(given.works, given).map(({ shard }) => shard);

	test("what no known receipt tells of", () => {
		expect(open(input("zip"))).toEqual(["train_1"]);
		expect(open(input("zip", lakeWith(done("old zip"))))).toEqual(["train_1"]);
	});

	test("not what is published, nor what the lake has from a later commit", () => {
		expect(open(input("zip", lakeWith(done("zip"))))).toEqual([]);
		const commitDates = new Map([["c1", "2025-01-01T00:00:00Z"]]);
		expect(open(input("old zip", { ...lakeWith(done("new zip")), commitDates }))).toEqual([]);
	});
});

describe("the order of commits", () => {
	const published = lakeWith(done("new zip"));
	const later = new Map([["c1", "2025-01-01T00:00:00Z"]]);
	const older = new Map([["c1", "2023-01-01T00:00:00Z"]]);

	test("a branch behind the lake does not replace its shard", () => {
		const [plan] = planShards(input("old zip", { ...published, commitDates: later }));
		expect(plan).toMatchObject({ action: "keep", reason: "the lake has it from a later commit" });
		expect(plan?.receipt).toEqual(done("new zip"));
	});

	test("nor does work that an earlier run had done at that commit", () => {
		const lake = lakeWith(done("new zip"), done("old zip"));
		expect(decision(input("old zip", { ...lake, commitDates: later }))[0]).toBe("keep");
	});

	test("a branch ahead of the lake replaces it", () => {
		expect(decision(input("newest zip", { ...published, commitDates: older }))).toEqual(["process", "zip changed"]);
	});

	test("an explicit commit replaces it, though older", () => {
		const explicit = listing("c2", {}, { explicitCommit: true });
		const given = input("old zip", { ...published, commitDates: later, listing: explicit });
		expect(decision(given)).toEqual(["process", "zip changed"]);
	});

	test("a folder, which has no commit, replaces it", () => {
		const folder = listing("c2", {}, { commit: null, committedAt: null });
		const given = input("old zip", { ...published, commitDates: later, listing: folder });
		expect(decision(given)).toEqual(["process", "zip changed"]);
	});
});

test("shards are planned in the order asked", () => {
	const wanted = ["train_1", "train_2", "test_1"];
	const zips = Object.fromEntries(wanted.toReversed().map((shard) => [shard, hex(shard)]));
	const plans = planShards(input("", { works: worksOf(zips, wanted) }));
	expect(plans.map(({ shard }) => shard)).toEqual(wanted);
});

describe("with a predicate, a zip elsewhere is had in parts where that is worth it", () => {
	const MB = 1_000_000;

	/** What is planned of a shard of 100 images, of which so many are chosen. */
	function planned(chosen: number, values: Partial<PlanInput> = {}, megabytes = 100) {
		const given = input("zip", values);
		const works = given.works.map((work) => ({ ...work, input: { ...work.input, bytes: megabytes * MB } }));
		const paths = new Set(Array.from({ length: chosen }, (_, at) => String(at)));
		const selections = new Map([["train_1", { images: 100, chosen: paths }]]);
		const [plan] = planShards({ ...given, works, selections, ...values });
		return { ...plan?.selection, fetch: (plan?.fetchBytes ?? 0) / MB };
	}

	test("up to a fifth of its images", () => {
		expect(planned(20)).toMatchObject({ images: 100, chosen: 20, ranged: true });
		expect(planned(20).fetch).toBeCloseTo(20.14, 2);
		expect(planned(21)).toEqual({ images: 100, chosen: 21, ranged: false, fetch: 100 });
		expect(planned(0)).toMatchObject({ chosen: 0, ranged: true });
	});

	test("not one that lies here, nor one that is hardly larger than its records", () => {
		expect(planned(1, { remote: new Set() })).toMatchObject({ ranged: false, fetch: 100 });
		expect(planned(1, {}, 0.05)).toMatchObject({ ranged: false, fetch: 0.05 });
	});

	test("without a predicate nothing is", () => {
		expect(planned(1, { selections: new Map() })).toEqual({ fetch: 100 });
	});
});
