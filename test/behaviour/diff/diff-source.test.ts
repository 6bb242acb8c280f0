import { cpSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Lab } from "../../support/lab.js";
import { digestOf } from "../../support/lake.js";
import { rewriteParquet } from "../../support/metadata.js";
import { type Row, rowsOf } from "../../support/mirror-run.js";
import { makeSample } from "../../tools/sample/make.js";

/** `irlake diff latest source` tells what a mirror would do anew, and why, without downloading a zip. */

const METADATA = "metadata-test.parquet";
const ZIP = "images/test/test_1.zip";
const SHARDS = ["test_1", "test_2"];

let lab: Lab;
let original: string;
let images: Row[];
/** What the Hub stands at. */
let commit: string;

beforeAll(async () => {
	lab = await Lab.open("diff-source", { shards: SHARDS, images: 5, size: 24 });
	original = lab.path("original");
	cpSync(lab.source, original, { recursive: true });
	expect(await lab.mirror("lake")).toMatchObject({ state: "published", number: 1 });
	images = (await rowsOf(lab.path("lake"), "images")).sort((a, b) =>
		String(a.image_path) < String(b.image_path) ? -1 : 1,
	);
}, 120_000);
afterAll(() => lab.close());

/** Every test has the source as it was. */
beforeEach(async () => {
	for (const path of [ZIP, METADATA, "README.md"]) lab.replace(path, join(original, path));
});

interface Found {
	code: number | null;
	shards: { shard: string; change: string; why: string[] }[];
	rows: { metadata: Record<"added" | "removed" | "changed", { count: number; first: Row[] }> };
	[key: string]: unknown;
}

async function diff(lake: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Found> {
	const before = digestOf(lab.path(lake));
	const end = await lab.run(["diff", ...args, "--lake", lab.path(lake), "--json"], env);
	expect(digestOf(lab.path(lake))).toBe(before);
	return { code: end.code, ...JSON.parse(end.stdout) };
}

/** The lake against the Hub as it is now; of no other zips than these may a part be asked for. */
async function againstHub(args = ["latest", "source"], zips: string[] = []): Promise<Found> {
	commit = await lab.hub.reload();
	await lab.hub.reset();
	const found = await diff("lake", args);
	const { paths } = await lab.hub.counters();
	expect(Object.keys(paths).filter((path) => path.endsWith(".zip"))).toEqual(zips);
	return found;
}

async function changeMetadata(query: string): Promise<void> {
	const changed = lab.path("changed.parquet");
	await rewriteParquet(join(original, METADATA), changed, query, "COMPRESSION snappy");
	lab.replace(METADATA, changed);
}

const path = (shard: string, index: number): string =>
	images.filter((row) => row.shard === shard).map(({ image_path }) => String(image_path))[index] ?? "";
const none = { count: 0, first: [] };

test("at another commit that changes no shard: nothing differs, and nothing but the listing is asked for", async () => {
	writeFileSync(lab.path("readme"), "# Another card\n");
	lab.replace("README.md", lab.path("readme"));
	const found = await againstHub();
	expect(found).toMatchObject({ code: 0, equal: true, shards: [], unknown: [], error: null });
	expect(found.after).toMatchObject({ what: "source", number: null, commit });
	expect((await lab.hub.counters()).paths).toEqual({});
}, 30_000);

test("rows that the metadata says otherwise, lacks and adds, each found and no other", async () => {
	const [changed, removed, added] = [path("test_2", 0), path("test_2", 1), path("test_2", 2)];
	const other = added.replace(/[0-9a-f]{12}\.webp$/, "000000000000.webp");
	await changeMetadata(`SELECT * REPLACE (CASE WHEN image_path = '${changed}' THEN prompt || '!' ELSE prompt END AS prompt)
		FROM rows WHERE image_path <> '${removed}'
		UNION ALL SELECT * REPLACE ('${other}' AS image_path) FROM rows WHERE image_path = '${added}'`);
	const found = await againstHub();
	const prompt = images.find(({ image_path }) => image_path === changed)?.prompt;
	expect(found).toMatchObject({
		code: 4,
		equal: false,
		shards: [{ shard: "test_2", change: "changed", why: ["metadata changed"] }],
		images: { added: none, removed: none, changed: none },
		unknown: [],
	});
	expect(found.rows).toEqual({
		metadata: {
			added: { count: 1, first: [{ shard: "test_2", key: { image_path: other }, columns: [] }] },
			removed: { count: 1, first: [{ shard: "test_2", key: { image_path: removed }, columns: [] }] },
			changed: {
				count: 1,
				first: [
					{
						shard: "test_2",
						key: { image_path: changed },
						columns: [{ name: "prompt", before: prompt, after: `${prompt}!` }],
					},
				],
			},
		},
	});
	const turned = await againstHub(["source", "latest"]);
	expect(turned).toMatchObject({ code: 4, before: { what: "source" }, after: { number: 1 } });
	expect(turned.rows.metadata.removed).toEqual(found.rows.metadata.added);
}, 30_000);

test("a column more in the metadata: told as such, since no row differs", async () => {
	await changeMetadata("SELECT *, 1 AS extra FROM rows");
	const found = await againstHub();
	expect(found.rows.metadata).toEqual({ added: none, removed: none, changed: none });
	expect(found.unknown).toEqual(
		SHARDS.map((shard) => ({ shard, what: "columns", count: null, why: expect.stringContaining("extra") })),
	);
}, 30_000);

describe("a changed zip is known by its directory", () => {
	const changed = { shard: "test_1", change: "changed", why: ["zip changed"] };
	const all = (): string[] =>
		images.filter(({ shard }) => shard === "test_1").map(({ image_path }) => String(image_path));

	test("packed anew, with the same pictures: no picture differs", async () => {
		lab.replace(ZIP, join(await lab.variant("packed", { deflate: true }), ZIP));
		const found = await againstHub(["latest", "source"], [ZIP]);
		expect(found).toMatchObject({
			code: 4,
			shards: [changed],
			images: { added: none, removed: none, changed: none },
			unknown: [],
		});
		expect(found.rows.metadata).toEqual({ added: none, removed: none, changed: none });
	}, 60_000);

	test("with other pictures under these names: each is told", async () => {
		lab.replace(ZIP, join(await lab.variant("larger", { size: 28 }), ZIP));
		const found = await againstHub(["latest", "source"], [ZIP]);
		expect(found).toMatchObject({
			code: 4,
			shards: [changed],
			images: { added: none, removed: none, changed: { count: 5 } },
		});
		const { first } = (found.images as { changed: { first: Row[] } }).changed;
		expect(first.map(({ image_path }) => image_path)).toEqual(all());
		expect(first[0]).toMatchObject({
			before: { source_sha256: expect.any(String) },
			after: { object_key: null, source_sha256: null },
		});
	}, 60_000);

	test("with other names: added and removed", async () => {
		lab.replace(ZIP, join(await lab.variant("other", { seed: 9 }), ZIP));
		const found = await againstHub(["latest", "source"], [ZIP]);
		expect(found).toMatchObject({ code: 4, images: { added: { count: 5 }, removed: { count: 5 }, changed: none } });
	}, 60_000);

	test("that is none: it is told, and the rest all the same", async () => {
		writeFileSync(lab.path("no.zip"), "this is no zip");
		lab.replace(ZIP, lab.path("no.zip"));
		const found = await againstHub(["latest", "source"], [ZIP]);
		expect(found).toMatchObject({
			code: 4,
			shards: [changed],
			unknown: [{ shard: "test_1", what: "images", count: 5, why: expect.stringContaining("ZIP_CORRUPT") }],
		});
		const text = await lab.run(["diff", "latest", "source", "--lake", lab.path("lake")]);
		expect(text.stdout).toMatch(/not known without downloading\n {2}\? test_1, 5 images: /);
		expect(text.stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
	}, 60_000);
});

test("shards that only one of the two has; --shards narrows to those that matter", async () => {
	expect(await lab.mirror("half", "--shards", "test_2")).toMatchObject({ state: "published" });
	const found = await diff("half", ["latest", "source"]);
	expect(found).toMatchObject({ code: 4, shards: [{ shard: "test_1", change: "added", before: null }] });
	expect(found.rows.metadata.added.count).toBe(5);
	expect(await diff("half", ["latest", "source", "--shards", "test_2"])).toMatchObject({ code: 0, equal: true });
	lab.remove(ZIP);
	expect(await againstHub()).toMatchObject({
		code: 4,
		shards: [{ shard: "test_1", change: "removed", after: null }],
		rows: { metadata: { removed: { count: 5 } } },
		images: { removed: { count: 5 } },
	});
}, 60_000);

describe("from a folder", () => {
	test("of unpacked shards, pictures are told one by one", async () => {
		const folder = await lab.variant("unpacked", { layout: "unpacked" });
		const source = ["--source", `file://${folder}`];
		expect(await lab.mirror("loose", ...source)).toMatchObject({ state: "published" });
		expect(await diff("loose", ["latest", "source", ...source])).toMatchObject({ code: 0, equal: true });
		const shard = join(folder, "images/test/test_1");
		const [changed = "", gone = "", renamed = ""] = readdirSync(shard)
			.filter((name) => name.endsWith(".webp"))
			.sort();
		cpSync(join(shard, renamed), join(shard, changed));
		rmSync(join(shard, gone));
		renameSync(join(shard, renamed), join(shard, "new.webp"));
		const found = await diff("loose", ["latest", "source", ...source]);
		const at = (name: string) => expect.objectContaining({ image_path: `images/test/test_1/${name}` });
		expect(found).toMatchObject({
			code: 4,
			shards: [{ shard: "test_1", why: ["zip changed"] }],
			images: {
				added: { count: 1, first: [at("new.webp")] },
				removed: { count: 2, first: [gone, renamed].map(at) },
				changed: { count: 1, first: [at(changed)] },
			},
			unknown: [],
		});
	}, 60_000);

	test("with rows in quarantine: what the lake knows of them is compared, the rest counted", async () => {
		const folder = lab.path("defects");
		const planted = await makeSample(folder, { shards: ["test_1"], defects: true, size: 24, planted: null });
		const source = ["--source", `file://${folder}`, "--shards", "test_1"];
		expect(await lab.mirror("bad", "--max-reject-ratio", "1", ...source)).toMatchObject({ state: "published" });
		const quarantine = await rowsOf(lab.path("bad"), "quarantine");
		const of = (code: string) => quarantine.find((row) => row.code === code)?.image_path;
		const [undecodable, extra, missing] = ["IMAGE_UNDECODABLE", "METADATA_EXTRA_ROW", "ROW_NOT_IN_METADATA"].map(of);
		const file = join(folder, METADATA);
		const aside = lab.path("aside.parquet");
		renameSync(file, aside);
		await rewriteParquet(
			aside,
			file,
			`SELECT * REPLACE (CASE WHEN image_path = '${undecodable}' THEN 99 ELSE rank END AS rank) FROM rows
				WHERE image_path <> '${extra}'
				UNION ALL SELECT * REPLACE ('${missing}' AS image_path) FROM (FROM rows LIMIT 1)`,
			"COMPRESSION snappy",
		);
		const found = await diff("bad", ["latest", "source", ...source, "--rehash"]);
		const row = (image_path: unknown, columns: unknown = []) => ({ shard: "test_1", key: { image_path }, columns });
		expect(found.rows.metadata).toEqual({
			added: { count: 1, first: [row(missing)] },
			removed: { count: 1, first: [row(extra)] },
			changed: { count: 1, first: [row(undecodable, [expect.objectContaining({ name: "rank", after: 99 })])] },
		});
		expect(found.unknown).toEqual([expect.objectContaining({ shard: "test_1", what: "rows" })]);
		expect(planted).toBeDefined();
	}, 60_000);
});

describe("a source that cannot be had fails as plan does", () => {
	test.each([
		["no such dataset", ["--source", "hf://nobody/Nothing"], 2, "HUB_NOT_FOUND"],
		["no such folder", ["--source", "file:///nowhere/at/all"], 2, "SOURCE_NOT_FOUND"],
		["no such shard", ["--shards", "train_99"], 2, "USAGE"],
	])(
		"%s",
		async (_, args, code, error) => {
			expect(await diff("lake", ["latest", "source", ...args])).toMatchObject({ code, error: { code: error } });
		},
		30_000,
	);

	test("no metadata", async () => {
		lab.remove(METADATA);
		const failed = await againstHub();
		expect(failed).toMatchObject({ code: 1, equal: null, error: { code: "METADATA_MISSING" } });
	}, 30_000);
});
