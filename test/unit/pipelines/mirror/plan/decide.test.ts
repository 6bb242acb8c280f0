import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import { openWorks, type PlanInput, planShards } from "../../../../../pipelines/mirror/plan/decide.js";
import {
	knownRows,
	requireListed,
	type ShardWork,
	shardWorks,
} from "../../../../../pipelines/mirror/plan/shard-work.js";
import { type Work, workId } from "../../../../../pipelines/mirror/plan/work-id.js";
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

describe("the work id", () => {
	const work = {
		dataset: "imagereward-db",
		shard: "train_1",
		input: zipInput("train_1", hex("zip")),
		metadataRowsSha256: ROWS,
		settings: DEFAULT_SETTINGS,
	};
	const id = workId(work);

	test("does not depend on where the zip lies", () => {
		const file = { path: "elsewhere.zip", bytes: 7, sha256: null, gitOid: "1" };
		expect(workId({ ...work, input: { form: "zip", file, sha256: hex("zip"), bytes: 7 } })).toBe(id);
	});

	const others: [string, Partial<Work>][] = [
		["dataset", { dataset: "diffusiondb" }],
		["shard", { shard: "train_2" }],
		["zip", { input: zipInput("train_1", hex("other")) }],
		["form", { input: { form: "unpacked", files: [], json: null, sha256: hex("zip"), bytes: 1 } }],
		["metadata rows", { metadataRowsSha256: hex("other") }],
		["image", { settings: { ...DEFAULT_SETTINGS, image: "png" } }],
		["quality", { settings: { ...DEFAULT_SETTINGS, quality: 80 } }],
		["max_side", { settings: { ...DEFAULT_SETTINGS, max_side: 80 } }],
		["verify", { settings: { ...DEFAULT_SETTINGS, verify: "structure" } }],
		["on_bad_image", { settings: { ...DEFAULT_SETTINGS, on_bad_image: "drop-group" } }],
		["where", { settings: { ...DEFAULT_SETTINGS, where: "rank = 1" } }],
		["codec", { settings: { ...DEFAULT_SETTINGS, codec: "one 2" } }],
	];

	test.each(others)("depends on %s", (_, other) => {
		expect(workId({ ...work, ...other })).not.toBe(id);
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

describe("what the source must have", () => {
	test("SHARD_MISSING names every shard that is not there, by its path", () => {
		const wanted = ["train_1", "train_2", "train_3"];
		expect(() => requireListed(listing("c2", { train_2: hex("x") }), wanted, ["train"], imageRewardDb)).toThrow(
			expect.objectContaining({
				code: "SHARD_MISSING",
				message: expect.stringMatching(/2 shards: images\/train\/train_1\.zip, images\/train\/train_3\.zip$/),
			}),
		);
	});

	test("METADATA_MISSING names every file, of the splits asked for alone", () => {
		const zips = { train_1: hex("x"), test_1: hex("y") };
		const metadata = new Map([["validation" as const, { path: "x", bytes: 1, sha256: null, gitOid: null }]]);
		const found = listing("c2", zips, { metadata });
		expect(() => requireListed(found, ["train_1", "test_1"], ["train", "test"], imageRewardDb)).toThrow(
			expect.objectContaining({
				code: "METADATA_MISSING",
				message: expect.stringMatching(/metadata-train\.parquet, metadata-test\.parquet$/),
			}),
		);
	});
});

describe("whether the lake's records alone tell the metadata's hashes", () => {
	const own = done("zip");
	const receipts = new Map([[own.work_id, own]]);
	const base = snapshot(1, "c1", [own]);
	base.source.metadata = [{ split: "train", path: "metadata-train.parquet", sha256: hex("file"), bytes: 5 }];
	const file = (name: string) => ({ path: "metadata-train.parquet", bytes: 5, sha256: hex(name), gitOid: null });
	const listed = (name: string) =>
		listing("c2", { train_1: hex("zip") }, { metadata: new Map([["train" as const, file(name)]]) });

	test("they do where the source lists the very file that was recorded", () => {
		expect(knownRows(base, receipts, listed("file"), ["train_1"])).toEqual(new Map([["train_1", ROWS]]));
	});

	test("they do not where the file is another, the shard is new, or was last seen at another commit", () => {
		expect(knownRows(base, receipts, listed("other file"), ["train_1"])).toBeNull();
		expect(knownRows(base, receipts, listed("file"), ["train_1", "train_2"])).toBeNull();
		expect(knownRows(base, new Map(), listed("file"), ["train_1"])).toBeNull();
		expect(knownRows(null, receipts, listed("file"), ["train_1"])).toBeNull();
		const carried = { ...base, source: { ...base.source, commit: "c9" } };
		expect(knownRows(carried, receipts, listed("file"), ["train_1"])).toBeNull();
	});
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
