import { cpSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import type { CliDocument } from "../../support/cli.js";
import { Lab } from "../../support/lab.js";
import { digestOf, latestSnapshot, versionsOf } from "../../support/lake.js";
import { rewriteParquet } from "../../support/metadata.js";
import { pythonVerdict, requireOrSkip } from "../../support/python.js";

/** What changed at the source is done again, that alone, and nothing that did not. */

const ZIP = "images/test/test_1.zip";
const METADATA = "metadata-test.parquet";
const SAMPLE = { shards: ["train_1", "test_1", "test_2"], images: 5, size: 32 };
const FIRST_DATE = "2024-03-04T05:06:07.000Z";

let lab: Lab;
/** The same rows and pictures in other zips. */
let packed: string;
/** The source as it was. */
let original: string;
let lakes = 0;
let lake: string;

beforeAll(async () => {
	lab = await Lab.open("changes", SAMPLE);
	original = lab.path("original");
	cpSync(lab.source, original, { recursive: true });
	packed = await lab.variant("packed", { deflate: true });
	expect(await lab.mirror("base")).toMatchObject({ state: "published", number: 1 });
}, 120_000);
afterAll(() => lab.close());

/** Every test has the source as it was, at the first commit's date, and a lake that holds it. */
beforeEach(async () => {
	for (const path of [ZIP, METADATA, "README.md"]) lab.replace(path, join(original, path));
	await lab.hub.reload(FIRST_DATE);
	await lab.hub.reset();
	lake = `lake-${++lakes}`;
	cpSync(lab.path("base"), lab.path(lake), { recursive: true });
});

/** Shards by how they ended. */
function shardsOf({ shards = [] }: CliDocument, state: string): string[] {
	return shards.filter((shard) => shard.state === state).map(({ shard }) => shard);
}

describe("at a new commit", () => {
	test("a changed zip: its shard alone is fetched and done, in a new snapshot", async () => {
		lab.replace(ZIP, join(packed, ZIP));
		await lab.hub.reload();
		await lab.hub.reset();
		const document = await lab.mirror(lake);
		expect(document).toMatchObject({ state: "published", number: 2, exit_code: 0 });
		expect(shardsOf(document, "done")).toEqual(["test_1"]);
		expect(shardsOf(document, "reused")).toEqual(["train_1", "test_2"]);
		const { paths } = await lab.hub.counters();
		expect(Object.keys(paths).filter((path) => path.endsWith(".zip"))).toEqual([ZIP]);
		expect(versionsOf(lab.path(lake))).toBe(2);
	}, 60_000);

	test("one changed row in the metadata: only the shard that holds it", async () => {
		const changed = lab.path("one-row.parquet");
		const query = `SELECT * REPLACE (CASE WHEN image_path = (SELECT min(image_path) FROM rows WHERE image_path LIKE '%/test_2/%')
			THEN 1 - overall_rating % 2 ELSE overall_rating END AS overall_rating) FROM rows`;
		await rewriteParquet(join(original, METADATA), changed, query, "COMPRESSION snappy");
		lab.replace(METADATA, changed);
		await lab.hub.reload();
		await lab.hub.reset();
		const document = await lab.mirror(lake, "--max-reject-ratio", "1");
		expect(document).toMatchObject({ state: "published", number: 2, findings: { ROW_DIFFERS_FROM_METADATA: 1 } });
		expect(shardsOf(document, "done")).toEqual(["test_2"]);
		const { paths } = await lab.hub.counters();
		expect(Object.keys(paths).sort()).toEqual(["images/test/test_2.zip", METADATA]);
	}, 60_000);

	test.each([
		["in another order", "SELECT * FROM rows ORDER BY image_path DESC", "COMPRESSION snappy"],
		["of another integer width", "SELECT * REPLACE (rank::TINYINT AS rank) FROM rows", "COMPRESSION snappy"],
		["compressed otherwise", "SELECT * FROM rows", "COMPRESSION zstd"],
	])(
		"the metadata's rows %s: nothing is done, nothing published",
		async (_, query, options) => {
			const rewritten = lab.path("rewritten.parquet");
			await rewriteParquet(join(original, METADATA), rewritten, query, options);
			expect(readFileSync(rewritten).equals(readFileSync(join(original, METADATA)))).toBe(false);
			lab.replace(METADATA, rewritten);
			await lab.hub.reload();
			const digest = digestOf(lab.path(lake));
			const document = await lab.mirror(lake);
			expect(document).toMatchObject({ state: "up_to_date", number: 1, exit_code: 0 });
			expect(shardsOf(document, "reused")).toEqual(SAMPLE.shards);
			expect(digestOf(lab.path(lake))).toBe(digest);
		},
		60_000,
	);

	test("no shard changed: up to date, and nothing is published", async () => {
		writeFileSync(lab.path("readme"), "# Another card\n");
		lab.replace("README.md", lab.path("readme"));
		const before = lab.hub.commit;
		expect(await lab.hub.reload()).not.toBe(before);
		const digest = digestOf(lab.path(lake));
		expect(await lab.mirror(lake)).toMatchObject({ state: "up_to_date", number: 1, bytes_downloaded: 0 });
		expect(digestOf(lab.path(lake))).toBe(digest);
	}, 60_000);
});

test("the dataset under its former name is the same dataset", async () => {
	const document = await lab.mirror(lake, "--source", "hf://THUDM/ImageRewardDB");
	expect(document).toMatchObject({ state: "up_to_date", number: 1, bytes_downloaded: 0 });
	expect(latestSnapshot(lab.path(lake)).source.uri).toBe("hf://zai-org/ImageRewardDB@main");
}, 60_000);

test("a branch that stands at an earlier commit than the lake replaces nothing; an explicit commit does", async () => {
	lab.replace(ZIP, join(packed, ZIP));
	const behind = await lab.hub.reload("2023-01-01T00:00:00.000Z");
	const digest = digestOf(lab.path(lake));
	expect(await lab.mirror(lake)).toMatchObject({ state: "up_to_date", number: 1, exit_code: 0 });
	expect(digestOf(lab.path(lake))).toBe(digest);
	const document = await lab.mirror(lake, "--source", `hf://zai-org/ImageRewardDB@${behind}`);
	expect(document).toMatchObject({ state: "published", number: 2 });
	expect(shardsOf(document, "done")).toEqual(["test_1"]);
	expect(latestSnapshot(lab.path(lake)).source).toMatchObject({ commit: behind, committed_at: "2023-01-01T00:00:00Z" });
}, 60_000);

describe("of some shards", () => {
	test("the others stay as they are", async () => {
		lab.replace(ZIP, join(packed, ZIP));
		await lab.hub.reload();
		const before = latestSnapshot(lab.path(lake)).shards;
		expect(await lab.mirror(lake, "--shards", "test_1")).toMatchObject({ number: 2, counts: { shards: 3 } });
		const after = latestSnapshot(lab.path(lake)).shards;
		expect(after.map(({ shard }) => shard)).toEqual(SAMPLE.shards);
		expect(after.filter(({ shard }) => shard !== "test_1")).toEqual(before.filter(({ shard }) => shard !== "test_1"));
	}, 60_000);

	test("--prune drops the others, and their files from the tables", async () => {
		const document = await lab.mirror(lake, "--split", "test", "--prune");
		expect(document).toMatchObject({ state: "published", number: 2, counts: { shards: 2, rows_published: 10 } });
		const { shards, tables } = latestSnapshot(lab.path(lake));
		expect(shards.map(({ shard }) => shard)).toEqual(["test_1", "test_2"]);
		expect(tables.images.files.every(({ path }) => path.includes("/split=test/"))).toBe(true);
		expect(await lab.mirror(lake, "--split", "test", "--prune")).toMatchObject({ state: "up_to_date", number: 2 });
	}, 60_000);

	test("--prune beside --shards is wrong usage", async () => {
		const digest = digestOf(lab.path(lake));
		const document = await lab.mirror(lake, "--shards", "test_1", "--prune");
		expect(document).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
		expect(digestOf(lab.path(lake))).toBe(digest);
	}, 60_000);
});

describe("a shard that fails", () => {
	beforeEach(async () => {
		const cut = lab.path("cut.zip");
		cpSync(join(original, ZIP), cut);
		truncateSync(cut, 1000);
		lab.replace(ZIP, cut);
		await lab.hub.reload();
	});

	test("fails the run: nothing is published, the lake is as it was", async () => {
		const digest = digestOf(lab.path(lake));
		const document = await lab.mirror(lake);
		expect(document).toMatchObject({ state: "failed", exit_code: 1, counts: null, error: { code: "SHARD_FAILED" } });
		expect(document.shards).toContainEqual(
			expect.objectContaining({ shard: "test_1", state: "failed", code: "ZIP_CORRUPT" }),
		);
		expect(digestOf(lab.path(lake))).toBe(digest);
	}, 60_000);

	test("lets --prune drop nothing, --on-shard-failure skip or not", async () => {
		const digest = digestOf(lab.path(lake));
		const document = await lab.mirror(lake, "--split", "test", "--prune", "--on-shard-failure", "skip");
		expect(document).toMatchObject({ state: "failed", exit_code: 1, error: { code: "PRUNE_REFUSED" } });
		expect(digestOf(lab.path(lake))).toBe(digest);
	}, 60_000);

	test("is skipped as asked, keeps its last good version, and is healed by a later run", async () => {
		const fresh = `${lake}-fresh`;
		const skipped = await lab.mirror(fresh, "--on-shard-failure", "skip");
		expect(skipped).toMatchObject({ state: "published", exit_code: 3, number: 1, counts: { shards: 2 } });
		expect(shardsOf(skipped, "skipped")).toEqual(["test_1"]);
		expect(latestSnapshot(lab.path(fresh)).skipped).toMatchObject([{ shard: "test_1", code: "ZIP_CORRUPT" }]);
		const again = await lab.mirror(fresh, "--on-shard-failure", "skip");
		expect(again).toMatchObject({ state: "up_to_date", exit_code: 3, number: 1 });
		const had = await lab.mirror(lake, "--on-shard-failure", "skip");
		expect(had).toMatchObject({ exit_code: 3, counts: { shards: 3 } });
		lab.replace(ZIP, join(packed, ZIP));
		await lab.hub.reload();
		expect(await lab.mirror(fresh)).toMatchObject({
			state: "published",
			exit_code: 0,
			number: 2,
			counts: { shards: 3 },
		});
		expect(latestSnapshot(lab.path(fresh)).skipped).toEqual([]);
	}, 60_000);
});

const describePython = await requireOrSkip();

describePython("delta-rs", () => {
	const Rows = z.object({
		version: z.int(),
		tables: z.record(z.string(), z.object({ count: z.int(), contents: z.unknown() })),
	});

	test("still reads the old version of every table after a change was published", async () => {
		const before = await pythonVerdict(Rows, "read_tables.py", [lab.path(lake), "--version", "0"]);
		lab.replace(ZIP, join(packed, ZIP));
		lab.replace(METADATA, join(original, METADATA));
		await lab.hub.reload();
		expect(await lab.mirror(lake, "--split", "test", "--prune")).toMatchObject({ number: 2, counts: { shards: 2 } });
		const after = await pythonVerdict(Rows, "read_tables.py", [lab.path(lake), "--version", "0"]);
		const now = await pythonVerdict(Rows, "read_tables.py", [lab.path(lake), "--version", "1"]);
		expect(after).toEqual(before);
		expect(now.tables.images).not.toEqual(before.tables.images);
	}, 120_000);
});
