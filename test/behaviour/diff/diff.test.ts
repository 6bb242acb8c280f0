import { cpSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Lab } from "../../support/lab.js";
import { digestOf, latestSnapshot } from "../../support/lake.js";
import { rewriteParquet } from "../../support/metadata.js";
import { type Row, rowsOf } from "../../support/mirror-run.js";

/** `irlake diff` between two snapshots finds each kind of difference, exactly, and nothing else. */

const METADATA = "metadata-test.parquet";
const ZIP = "images/test/test_1.zip";
const SHARDS = ["train_1", "test_1", "test_2"];
/** Rows of each snapshot's tables, read without the product. */
const rows: Record<number, Record<"images" | "prompts" | "pairs" | "quarantine", Row[]>> = {};

let lab: Lab;
let lake: string;
/** The image whose rating the metadata changes, so that its row is rejected. */
let rejected: string;

/** Snapshots: 1 as it was; 2 one row rejected; 3 another zip of the same pictures; 4 without train_1; 5 as PNG; 6 is 1 again. */
beforeAll(async () => {
	lab = await Lab.open("diff", { shards: SHARDS, images: 6, size: 24 });
	lake = lab.path("lake");
	await publish(1);
	[rejected = ""] = (rows[1]?.images ?? [])
		.flatMap(({ shard, image_path }) => (shard === "test_2" ? [String(image_path)] : []))
		.sort();
	const changed = lab.path("changed.parquet");
	const rating = `CASE WHEN image_path = '${rejected}' THEN 1 - overall_rating % 2 ELSE overall_rating END`;
	const query = `SELECT * REPLACE (${rating} AS overall_rating) FROM rows`;
	await rewriteParquet(join(lab.source, METADATA), changed, query, "COMPRESSION snappy");
	lab.replace(METADATA, changed);
	await lab.hub.reload();
	await publish(2, "--max-reject-ratio", "1");
	lab.replace(ZIP, join(await lab.variant("packed", { deflate: true }), ZIP));
	await lab.hub.reload();
	await publish(3, "--max-reject-ratio", "1");
	await publish(4, "--max-reject-ratio", "1", "--split", "test", "--prune");
	await publish(5, "--max-reject-ratio", "1", "--split", "test", "--image", "png", "--new-settings");
	expect((await lab.run(["rollback", "1", "--lake", lake])).code).toBe(0);
}, 120_000);
afterAll(() => lab.close());

async function publish(number: number, ...more: string[]): Promise<void> {
	expect(await lab.mirror("lake", ...more)).toMatchObject({ state: "published", number });
	const tables = ["images", "prompts", "pairs", "quarantine"] as const;
	const read = await Promise.all(tables.map(async (table) => [table, await rowsOf(lake, table)] as const));
	rows[number] = Object.fromEntries(read) as (typeof rows)[number];
}

async function diff(before: string, after: string, ...more: string[]) {
	const end = await lab.run(["diff", before, after, "--lake", lake, "--json", ...more]);
	return { code: end.code, ...JSON.parse(end.stdout) } as Record<string, unknown> & { code: number | null };
}

/** Totals of a table's changes. */
const totals = (added: number, removed: number, changed: number) => ({
	added: expect.objectContaining({ count: added }),
	removed: expect.objectContaining({ count: removed }),
	changed: expect.objectContaining({ count: changed }),
});
const none = totals(0, 0, 0);

test("nothing differs: of a snapshot and itself, by whatever name, and of a rollback and its target", async () => {
	const digest = digestOf(lake);
	const path = readdirSync(join(lake, "snapshots")).find((name) => name.startsWith("000001-"));
	const pairs: [string, string][] = [
		["latest", "latest"],
		["2", "2"],
		["1", "6"],
		[`snapshots/${path}`, "latest"],
	];
	for (const pair of pairs) {
		const found = await diff(...pair);
		expect([pair, found.code, found.equal, found.error, found.shards]).toEqual([pair, 0, true, null, []]);
		expect(found.rows).toEqual({ images: none, prompts: none, pairs: none, quarantine: none });
	}
	const text = await lab.run(["diff", "latest", "latest", "--lake", lake]);
	expect(text).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing differs") });
	expect(digestOf(lake)).toBe(digest);
}, 60_000);

test("one row rejected: its image, prompt, pairs and finding, and what is counted", async () => {
	const found = await diff("1", "2");
	const [old, now] = [rows[1], rows[2]];
	const pairsOf = (all: Row[] | undefined) =>
		(all ?? []).filter((pair) => pair.better_image_path === rejected || pair.worse_image_path === rejected);
	const prompt = old?.images.find(({ image_path }) => image_path === rejected)?.prompt_id;
	expect(found).toMatchObject({
		code: 4,
		equal: false,
		before: { what: "snapshot", number: 1 },
		after: { what: "snapshot", number: 2 },
		settings: [],
		shards: [{ shard: "test_2", change: "changed", why: ["metadata changed"] }],
		findings: [{ name: "ROW_DIFFERS_FROM_METADATA", before: null, after: 1 }],
		unknown: [],
		error: null,
	});
	expect(found.rows).toEqual({
		images: {
			...none,
			removed: { count: 1, first: [{ shard: "test_2", key: { image_path: rejected }, columns: [] }] },
		},
		prompts: {
			...none,
			changed: { count: 1, first: [expect.objectContaining({ shard: "test_2", key: { prompt_id: prompt } })] },
		},
		pairs: totals(0, pairsOf(old?.pairs).length, 0),
		quarantine: {
			...none,
			added: {
				count: 1,
				first: [
					expect.objectContaining({
						key: expect.objectContaining({ code: "ROW_DIFFERS_FROM_METADATA", image_path: rejected }),
					}),
				],
			},
		},
	});
	expect(pairsOf(old?.pairs).length).toBeGreaterThan(0);
	expect(pairsOf(now?.pairs)).toEqual([]);
	const image = old?.images.find(({ image_path }) => image_path === rejected);
	const bytes = {
		object_key: image?.object_key,
		source_sha256: image?.source_sha256,
		source_bytes: Number(image?.source_bytes),
		crc32: image?.crc32,
	};
	expect(found.images).toEqual({
		...none,
		removed: { count: 1, first: [{ image_path: rejected, before: bytes, after: null }] },
	});
	expect(found.counts).toContainEqual({ name: "rows_rejected", before: 0, after: 1 });
}, 30_000);

test("the other way round, all is turned", async () => {
	const found = await diff("2", "1");
	expect(found).toMatchObject({
		code: 4,
		findings: [{ name: "ROW_DIFFERS_FROM_METADATA", before: 1, after: null }],
		images: { added: { count: 1 }, removed: { count: 0 } },
		rows: { images: { added: { count: 1 }, removed: { count: 0 } }, quarantine: { removed: { count: 1 } } },
	});
}, 30_000);

test("another zip of the same pictures: its shard differs, no row does", async () => {
	expect(await diff("2", "3")).toMatchObject({
		code: 4,
		settings: [],
		findings: [],
		counts: [],
		shards: [{ shard: "test_1", change: "changed", why: ["zip changed"] }],
		rows: { images: none, prompts: none, pairs: none, quarantine: none },
		images: none,
	});
}, 30_000);

test("a shard that was dropped: all its rows, and no other's", async () => {
	const gone = (table: "images" | "prompts" | "pairs") =>
		rows[3]?.[table].filter(({ shard }) => shard === "train_1").length ?? 0;
	expect(await diff("3", "4")).toMatchObject({
		code: 4,
		settings: [],
		findings: [],
		shards: [{ shard: "train_1", change: "removed", why: [], after: null }],
		rows: {
			images: totals(0, gone("images"), 0),
			prompts: totals(0, gone("prompts"), 0),
			pairs: totals(0, gone("pairs"), 0),
			quarantine: none,
		},
		images: totals(0, gone("images"), 0),
	});
	expect(gone("images")).toBe(6);
}, 30_000);

test("other settings: every picture has other bytes, no judgement differs", async () => {
	const found = await diff("4", "5", "--limit", "0");
	expect(found).toMatchObject({
		code: 4,
		settings: [
			{ name: "image", before: "passthrough", after: "png" },
			{ name: "codec", before: null },
		],
		shards: ["test_1", "test_2"].map((shard) => ({ shard, change: "changed", why: ["settings changed"] })),
		rows: { images: totals(0, 0, 11), quarantine: none },
		images: totals(0, 0, 11),
	});
	const { first } = (found.images as { changed: { first: { before: Row; after: Row }[] } }).changed;
	expect(first).toHaveLength(11);
	for (const { before, after } of first) {
		expect(after.source_sha256).toBe(before.source_sha256);
		expect([before.object_key, after.object_key]).toEqual([
			expect.stringMatching(/webp$/),
			expect.stringMatching(/png$/),
		]);
	}
}, 30_000);

describe("--limit", () => {
	test("bounds every list, and no total", async () => {
		const found = await diff("1", "5", "--limit", "2");
		const { removed, changed } = (found.rows as { images: Record<string, { count: number; first: unknown[] }> }).images;
		expect([removed?.count, removed?.first.length]).toEqual([7, 2]);
		expect([changed?.count, changed?.first.length]).toEqual([11, 2]);
		expect((found.images as typeof found.rows & { removed: unknown }).removed).toMatchObject({ count: 7 });
	}, 30_000);

	test("text: totals, the first of each kind, how many more, within 80 columns", async () => {
		const { code, stdout } = await lab.run(["diff", "1", "5", "--lake", lake, "--limit", "2"]);
		expect(code).toBe(4);
		for (const told of [
			/^settings\n {2}image: "passthrough" → "png"$/m,
			/^ {2}- train_1 +removed$/m,
			/^ {2}~ test_1 +changed: zip changed, settings changed$/m,
			/^images +0 +7 +11$/m,
			/^ {2}- images\/train\/train_1\/[0-9a-f-]{36}\.webp$/m,
			/^ {4}bytes: \d+ → \d+\n {4}format: "webp" → "png"$/m,
			/^ {2}… and 5 more removed: see them all with --limit 0$/m,
			/^ {2}\+ ROW_DIFFERS_FROM_METADATA\n {4}images\/test\/test_2/m,
			/^ {2}ROW_DIFFERS_FROM_METADATA +- +1$/m,
		]) {
			expect(stdout).toMatch(told);
		}
		expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
	}, 30_000);
});

describe("files that are not there", () => {
	const copy = (): string => {
		const place = lab.path("copy");
		rmSync(place, { recursive: true, force: true });
		cpSync(lake, place, { recursive: true });
		return place;
	};
	const only = (folder: string): string => join(folder, readdirSync(folder)[0] ?? "");
	const run = async (place: string, before: string, after: string) => {
		const end = await lab.run(["diff", before, after, "--lake", place, "--json"]);
		return { code: end.code, error: JSON.parse(end.stdout).error };
	};

	test("those of shards that are the same in both are not read", async () => {
		const place = copy();
		renameSync(only(join(place, "tables/images/split=train/shard=1")), join(place, "gone"));
		expect(await run(place, "1", "2")).toEqual({ code: 4, error: null });
	}, 30_000);

	test("one that is needed, and a receipt, are named", async () => {
		const place = copy();
		const file = latestSnapshot(lake).tables.images.files.find(({ path }) => path.includes("split=test/shard=2"))?.path;
		rmSync(join(place, file ?? ""));
		const gone = { code: "LAKE_DAMAGED", path: file, hint: expect.stringContaining("vacuum") };
		expect(await run(place, "1", "2")).toMatchObject({ code: 1, error: gone });
		const receipt = latestSnapshot(lake).shards.find(({ shard }) => shard === "test_1")?.receipt;
		rmSync(join(place, receipt ?? ""));
		expect(await run(place, "1", "2")).toMatchObject({ code: 1, error: { code: "LAKE_DAMAGED", path: receipt } });
	}, 30_000);
});

test.each([
	["a number that was never published", ["1", "99"], "SNAPSHOT_NOT_FOUND"],
	["no snapshot's name", ["newest", "1"], "USAGE"],
	["the source twice", ["source", "source"], "USAGE"],
	["one only", ["1"], "USAGE"],
])(
	"wrong usage ends with 2: %s",
	async (_, names, code) => {
		const end = await lab.run(["diff", ...names, "--lake", lake, "--json"]);
		expect({ code: end.code, error: JSON.parse(end.stdout).error }).toMatchObject({ code: 2, error: { code } });
	},
	30_000,
);

test("a lake that does not exist ends with 2", async () => {
	const end = await lab.run(["diff", "1", "2", "--lake", lab.path("nowhere"), "--json"]);
	expect({ code: end.code, error: JSON.parse(end.stdout).error }).toMatchObject({
		code: 2,
		error: { code: "LAKE_NOT_FOUND" },
	});
});
