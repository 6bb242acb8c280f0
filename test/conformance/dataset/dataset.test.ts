import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { shardParts } from "../../../pipelines/shards.js";
import { metadataPath, splitsOf } from "../../../pipelines/splits.js";
import { Latest, Receipt, Snapshot } from "../../../schemas/records.js";
import { documentOf, runCli } from "../../support/cli.js";
import { digestOf, lakeFiles } from "../../support/lake.js";
import { RedisServer, until } from "../../support/redis.js";
import { redisOrSkip } from "../../support/redis-or-skip.js";
import { runProgram } from "../../support/run-program.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import { DatasetLab } from "./lab.js";
import { type Expected, replaceLast, SUBJECTS, type Subject } from "./subject.js";

/**
 * What is promised of ImageRewardDB is promised of every dataset: whatever it says of its files, rows and tables, a mirror
 * finds exactly what is wrong with a source, publishes the rest as it is, and every command works on the lake.
 */

const describeFleet = await redisOrSkip();
const LONG = 120_000;

function snapshotOf(lake: string): Snapshot {
	const { snapshot } = Latest.parse(JSON.parse(readFileSync(join(lake, "latest.json"), "utf8")));
	return Snapshot.parse(JSON.parse(readFileSync(join(lake, snapshot), "utf8")));
}

function receiptsOf(lake: string): Map<string, Receipt> {
	return new Map(
		snapshotOf(lake).shards.map(({ shard, receipt }) => {
			return [shard, Receipt.parse(JSON.parse(readFileSync(join(lake, receipt), "utf8")))];
		}),
	);
}

/** SHA-256 of each file below a folder, by path. */
function hashesOf(folder: string, wanted: (path: string) => boolean = () => true): Record<string, string> {
	const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	const paths = files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).filter(wanted);
	return Object.fromEntries(
		paths.sort().map((path) => [
			path,
			createHash("sha256")
				.update(readFileSync(join(folder, path)))
				.digest("hex"),
		]),
	);
}

describe.each(SUBJECTS.map((subject) => [subject.dataset.name, subject] as const))("%s", (_name, subject) => {
	const { dataset, shards } = subject;
	const splits = splitsOf(dataset, [...shards]);
	const last = shards.at(-1) ?? "";
	let lab: DatasetLab;
	let expected: Record<string, Expected>;
	let images: number;

	/** The lake's table `images`, in SQL. */
	const imagesOf = (lake: string) => `'${lab.path(lake)}/tables/images/*/*/*.parquet'`;

	/** Rows of the metadata of every split, with the image path of each. */
	const metadataOf = (source: string): string => {
		const parts = splits.map((split) => {
			const file = join(lab.path(source), metadataPath(dataset, split));
			return `SELECT ${subject.imagePath(split)} AS path_of_image, * FROM '${file}'`;
		});
		return `(${parts.join(" UNION ALL ")})`;
	};

	beforeAll(async () => {
		lab = new DatasetLab(subject);
		const sound = await subject.make(lab.path("sound"), {});
		images = Object.values(sound).reduce((sum, { counts }) => sum + (counts.rows_in ?? 0), 0);
		await subject.make(lab.path("unpacked"), { layout: "unpacked" });
		expected = await subject.make(lab.path("spoilt"), { defects: true });
		expect(await lab.mirror(lab.path("sound"), "lake")).toMatchObject({ exit_code: 0, state: "published" });
	}, LONG);
	afterAll(() => lab.close());

	test(
		"of a spoilt source, each shard's findings and counts are those planted, and verify finds nothing amiss",
		async () => {
			const run = await lab.mirror(lab.path("spoilt"), "spoilt-lake", ["--max-reject-ratio", "1"]);
			expect(run).toMatchObject({ exit_code: 0, state: "published" });
			const receipts = receiptsOf(lab.path("spoilt-lake"));
			expect([...receipts.keys()]).toEqual([...shards]);
			for (const [shard, { findings, counts }] of receipts) {
				expect([shard, findings]).toEqual([shard, expected[shard]?.findings]);
				expect([shard, counts]).toEqual([shard, expect.objectContaining(expected[shard]?.counts ?? {})]);
			}
			const verified = await lab.document(["verify", "--deep", "--lake", lab.path("spoilt-lake")]);
			expect(verified).toMatchObject({ exit_code: 0, problems: [] });
		},
		LONG,
	);

	test("quarantine has a row for every finding, and the dataset's own name for groups, if it has any", async () => {
		const [all = {}] = await lab.query(
			`SELECT count(*)::INTEGER AS rows FROM '${lab.path("spoilt-lake")}/tables/quarantine/*/*/*.parquet'`,
		);
		const planted = Object.values(expected).flatMap(({ findings }) => Object.values(findings));
		expect(all.rows).toBe(planted.reduce((sum, count) => sum + count, 0));
		const columns = await lab.query(
			`DESCRIBE SELECT * FROM '${lab.path("spoilt-lake")}/tables/quarantine/*/*/*.parquet'`,
		);
		const names = columns.map(({ column_name }) => column_name);
		expect(names.includes("prompt_id")).toBe(dataset.group !== null);
		if (dataset.group !== null) expect(names).toContain(dataset.group);
	});

	test("the lake has the dataset's tables, and the core's, and no others; mirrored again it is up to date", async () => {
		expect(Object.keys(snapshotOf(lab.path("lake")).tables).sort()).toEqual(subject.tables);
		expect(snapshotOf(lab.path("lake"))).toMatchObject({ dataset: dataset.name, number: 1 });
		const before = digestOf(lab.path("lake"));
		expect(await lab.mirror(lab.path("sound"), "lake")).toMatchObject({ exit_code: 0, state: "up_to_date", number: 1 });
		expect(digestOf(lab.path("lake"))).toBe(before);
	});

	test("every row of the source stands in the lake, with its own cells and its own bytes", async () => {
		const [rows = {}] = await lab.query(`
			SELECT count(*)::INTEGER AS rows, count_if(${subject.sameRow})::INTEGER AS same
			FROM ${imagesOf("lake")} lake JOIN ${metadataOf("sound")} metadata ON lake.image_path = path_of_image`);
		expect(rows).toEqual({ rows: images, same: images });
		const objects = await lab.query(`SELECT image_path, object_key FROM ${imagesOf("lake")} ORDER BY ALL`);
		expect(objects).toHaveLength(images);
		const stored = hashesOf(lab.path("lake"), (path) => path.startsWith("objects/"));
		const own = hashesOf(lab.path("unpacked"));
		expect(
			Object.fromEntries(objects.map(({ image_path, object_key }) => [image_path, stored[`${object_key}`]])),
		).toEqual(Object.fromEntries(objects.map(({ image_path }) => [image_path, own[`${image_path}`]])));
	});

	test("an unpacked source gives the same objects and tables", async () => {
		expect(await lab.mirror(lab.path("unpacked"), "from-unpacked")).toMatchObject({ exit_code: 0, state: "published" });
		const content = (path: string) => /^(objects|tables\/.*\.parquet$)/.test(path);
		expect(hashesOf(lab.path("from-unpacked"), content)).toEqual(hashesOf(lab.path("lake"), content));
	});

	test(
		"a predicate speaks of the lake's columns, and chooses what the same words choose of the metadata",
		async () => {
			const run = await lab.mirror(lab.path("sound"), "chosen", ["--where", subject.where.lake]);
			expect(run).toMatchObject({ exit_code: 0, state: "published" });
			const chosen = await lab.query(`SELECT image_path FROM ${imagesOf("chosen")} ORDER BY ALL`);
			const wanted = await lab.query(
				`SELECT path_of_image AS image_path FROM ${metadataOf("sound")} WHERE ${subject.where.metadata} ORDER BY ALL`,
			);
			expect(chosen).toEqual(wanted);
			expect(chosen.length).toBeGreaterThan(0);
			expect(chosen.length).toBeLessThan(images);
		},
		LONG,
	);

	test("what means groups is refused where there are none, before anything is written", async () => {
		for (const [at, options] of subject.grouped.entries()) {
			const run = await lab.mirror(lab.path("sound"), `grouped-${at}`, [...options]);
			if (dataset.group !== null) expect(run).toMatchObject({ exit_code: 0, state: "published" });
			else {
				expect(run).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
				expect(existsSync(lab.path(`grouped-${at}`))).toBe(false);
			}
		}
	});

	test(
		"files come out as they went in: a mirror of the export has the same objects and tables",
		async () => {
			const run = await lab.document([
				...["export", "files", "--lake", lab.path("lake"), "--out", lab.path("files")],
				...["--shards", shards.join(",")],
			]);
			expect(run).toMatchObject({ exit_code: 0 });
			const isImage = (path: string) => path.endsWith(`.${dataset.layout.format(last)}`);
			expect(hashesOf(lab.path("files"), isImage)).toEqual(hashesOf(lab.path("unpacked"), isImage));
			expect(await lab.mirror(lab.path("files"), "from-files")).toMatchObject({ exit_code: 0, state: "published" });
			const objects = (path: string) => path.startsWith("objects/");
			expect(hashesOf(lab.path("from-files"), objects)).toEqual(hashesOf(lab.path("lake"), objects));
			const [rows = {}] = await lab.query(
				`SELECT count(*)::INTEGER AS other FROM (FROM ${imagesOf("from-files")} EXCEPT FROM ${imagesOf("lake")})`,
			);
			expect(rows.other).toBe(0);
			expect(snapshotOf(lab.path("from-files")).counts).toEqual(snapshotOf(lab.path("lake")).counts);
		},
		LONG,
	);

	test(
		"webdataset has each image with its row",
		async () => {
			const run = await lab.document([
				...["export", "webdataset", "--lake", lab.path("lake"), "--out", lab.path("tars")],
				...["--shards", shards.join(",")],
			]);
			expect(run).toMatchObject({ exit_code: 0 });
			const tars = readdirSync(lab.path("tars"), { recursive: true, encoding: "utf8" }).filter((path) =>
				path.endsWith(".tar"),
			);
			const ends = await Promise.all(tars.map((tar) => runProgram("tar", ["-tf", join(lab.path("tars"), tar)])));
			const names = ends.flatMap(({ stdout }) => stdout.trim().split("\n"));
			const pictures = names.filter((name) => name.endsWith(`.${dataset.layout.format(last)}`));
			expect(pictures).toHaveLength(images);
			expect(names.filter((name) => name.endsWith(".json"))).toHaveLength(images);
			expect(new Set(names).size).toBe(2 * images);
		},
		LONG,
	);

	test("an export that the dataset has not is refused, and names those that it has", async () => {
		const { error } = await lab.document(["export", "nonsense", "--lake", lab.path("lake"), "--out", lab.path("none")]);
		expect(error).toMatchObject({ code: "USAGE", message: expect.stringContaining("webdataset or files") });
		for (const format of Object.keys(dataset.exports)) expect(error?.message).toContain(format);
	});

	test("a lake of one dataset takes no other, and a source of one is told apart", async () => {
		const other = SUBJECTS.find((one) => one !== subject);
		const refused = await lab.document([
			...["mirror", "--dataset", `${other?.dataset.name}`, "--source", lab.path("sound"), "--lake", lab.path("lake")],
		]);
		expect(refused).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
		const mistaken = await lab.document([
			...[
				"mirror",
				"--dataset",
				`${other?.dataset.name}`,
				"--source",
				lab.path("sound"),
				"--lake",
				lab.path("mistaken"),
			],
		]);
		expect(mistaken.error).toMatchObject({ code: "SOURCE_NOT_FOUND", hint: expect.stringContaining(dataset.name) });
	});

	describe("from the Hub", () => {
		let hub: HubHandle;
		let source: string;

		beforeAll(async () => {
			await subject.make(lab.path("served"), {});
			hub = await startHub(lab.path("served"), { repo: dataset.repo });
			source = `hf://${dataset.repo}`;
			const run = await lab.mirror(source, "from-hub", [], { HF_ENDPOINT: hub.endpoint });
			expect(run).toMatchObject({ exit_code: 0, state: "published" });
		}, LONG);
		afterAll(() => hub.stop());

		test("the lake's content is that of a folder's, and the repository tells the dataset", async () => {
			const content = (path: string) => /^(objects|tables\/.*\.parquet$)/.test(path);
			expect(hashesOf(lab.path("from-hub"), content)).toEqual(hashesOf(lab.path("lake"), content));
			const told = await lab.document(
				["plan", "--source", source, "--lake", lab.path("untold"), "--shards", shards.join(",")],
				{ HF_ENDPOINT: hub.endpoint },
			);
			expect(told).toMatchObject({ exit_code: 0 });
		});

		describeFleet("by workers", () => {
			test(
				"the lake is the same, byte for byte",
				async () => {
					const redis = await RedisServer.start();
					try {
						const env = { HF_ENDPOINT: hub.endpoint, REDIS_URL: redis.url, IRLAKE_QUEUE_PREFIX: "test" };
						const worker = await lab.start(["worker", "--scratch", lab.path("worker")], env);
						await until("the worker is ready", async () => {
							if (worker.child.exitCode !== null) throw new Error((await worker.ended).stderr);
							return (await redis.client.keys("test:worker:*")).length > 0;
						});
						const place = ["--source", source, "--lake", lab.path("by-fleet")];
						const run = await lab.document(["enqueue", "--wait", ...place, ...lab.shards()], env);
						expect(run).toMatchObject({ exit_code: 0, state: "published" });
						expect(digestOf(lab.path("by-fleet"))).toBe(digestOf(lab.path("from-hub")));
						worker.kill("SIGTERM");
						expect(await worker.ended).toMatchObject({ code: 0 });
					} finally {
						await redis.stop();
					}
				},
				LONG,
			);
		});
	});

	test(
		"what changed at the source is told of its shard and no other, before the mirror and after it",
		async () => {
			await subject.make(lab.path("moving"), {});
			await subject.make(lab.path("later"), { seed: 2 });
			expect(await lab.mirror(lab.path("moving"), "moving-lake")).toMatchObject({ exit_code: 0, number: 1 });
			const compare = (...what: string[]) => {
				return lab.document(["diff", ...what, "--lake", lab.path("moving-lake"), "--scratch", lab.path("scratch")]);
			};
			const withSource = ["latest", "source", "--source", lab.path("moving"), "--shards", shards.join(",")];
			expect(await compare(...withSource)).toMatchObject({ exit_code: 0, equal: true });
			replaceLast(subject, lab.path("moving"), lab.path("later"));
			const changed = { exit_code: 4, equal: false, shards: [{ shard: last, change: "changed" }] };
			expect(await compare(...withSource)).toMatchObject(changed);
			expect(await lab.mirror(lab.path("moving"), "moving-lake")).toMatchObject({ exit_code: 0, number: 2 });
			expect(await compare("1", "2")).toMatchObject(changed);
			expect(await compare(...withSource)).toMatchObject({ exit_code: 0, equal: true });
			const kept = lakeFiles(lab.path("moving-lake")).filter((path) => path.startsWith("receipts/"));
			expect(kept.filter((path) => path.includes(`/${last}/`))).toHaveLength(2);
			expect(kept).toHaveLength(shards.length + 1);
		},
		LONG,
	);
});

test("the command as it is shipped knows its own dataset only, and leaves a lake of another alone", async () => {
	const [shipped, madeUp] = SUBJECTS as [Subject, Subject];
	const unknown = await runCli(["mirror", "--dataset", madeUp.dataset.name, "--lake", "/nowhere/lake", "--json"]);
	expect(documentOf(unknown)).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
	const lab = new DatasetLab(madeUp);
	try {
		await madeUp.make(lab.path("source"), {});
		expect(await lab.mirror(lab.path("source"), "lake")).toMatchObject({ exit_code: 0, state: "published" });
		await shipped.make(lab.path("other"), {});
		const before = digestOf(lab.path("lake"));
		const place = ["--source", lab.path("other"), "--lake", lab.path("lake"), "--scratch", lab.path("scratch")];
		const refused = await runCli(["mirror", ...place, "--shards", shipped.shards.join(","), "--json"]);
		expect(documentOf(refused)).toMatchObject({
			state: "failed",
			error: { code: "LAKE_UNSUPPORTED", message: expect.stringContaining(madeUp.dataset.name) },
		});
		expect(digestOf(lab.path("lake"))).toBe(before);
	} finally {
		await lab.close();
	}
}, 120_000);

test("subjects differ in what the contract lets differ", () => {
	const said = SUBJECTS.map(({ dataset: { layout, group, tables, exports } }) => ({
		json: layout.json,
		format: layout.format(`${layout.splits[0]?.name}_1`),
		groups: group !== null,
		tables: tables.list.length > 0,
		exports: Object.keys(exports).length > 0,
		digits: layout.zipPath(`${layout.splits[0]?.name}_1`).replace(/\D/g, ""),
	}));
	for (const key of Object.keys(said[0] ?? {}) as (keyof (typeof said)[number])[]) {
		expect([key, new Set(said.map((one) => one[key])).size]).toEqual([key, SUBJECTS.length]);
	}
	expect(shardParts("beta2_1")).toEqual({ split: "beta2", number: 1 });
});
