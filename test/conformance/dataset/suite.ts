import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { tablesOf } from "../../../pipelines/lake/tables.js";
import { Receipt } from "../../../schemas/records.js";
import { datasets } from "../../datasets/index.js";
import { digestOf, lakeFiles } from "../../support/lake.js";
import { RedisServer, until } from "../../support/redis.js";
import { redisOrSkip } from "../../support/redis-or-skip.js";
import { runProgram } from "../../support/run-program.js";
import { columnsOf, type Document, Place, query } from "./place.js";
import type { ExpectedShard, Subject } from "./subject.js";
import { deltaSchema, duckdbColumns } from "./types.js";

const describeFleet = await redisOrSkip();

/** Everything that a user does with a lake, whatever dataset it holds. */
export function holdsTheContract(subject: Subject): void {
	const { dataset, shards } = subject;
	let place: Place;
	beforeAll(async () => {
		place = await Place.open(subject);
		expect(await place.mirror("lake")).toMatchObject({ state: "published", exit_code: 0, findings: {} });
	}, 60_000);
	afterAll(() => place.close());
	const limit = (name: string, work: () => Promise<void>) => test(name, work, 60_000);

	describe(`${dataset.name}: a lake`, () => {
		limit("holds every row of the source, by its repository's name; once more it is up to date", async () => {
			expect(place.snapshot("lake")).toMatchObject({ dataset: dataset.name, number: 1 });
			expect(await place.ofTable("lake", "images", "count(*)")).toBe(await place.ofMetadata("count(*)"));
			expect(await place.of("mirror", "lake")).toMatchObject({ state: "up_to_date", exit_code: 0 });
			expect(await place.run(["status", "--lake", place.path("lake")])).toMatchObject({ exit_code: 0 });
		});

		limit("tells what the metadata tells", async () => {
			for (const { lake, metadata } of subject.sums) {
				expect(`${lake}: ${await place.ofTable("lake", "images", lake)}`).toBe(
					`${lake}: ${await place.ofMetadata(metadata)}`,
				);
			}
		});

		limit("has each row's own cells, and each image's own bytes", async () => {
			const lake = place.path("lake");
			const rows = await query(`
				SELECT lake.image_path, lake.object_key, ${subject.sameRow}
				FROM ${place.tableSql("lake", "images")} lake
				JOIN ${place.metadataSql()} metadata ON lake.image_path = path_of_image`);
			expect(`${rows.length}`).toBe(await place.ofMetadata("count(*)"));
			expect(rows.filter(([, , same]) => same !== true)).toEqual([]);
			await subject.clean(place.path("own-files"), "unpacked");
			for (const [path, key] of rows) {
				const [own, stored] = [join(place.path("own-files"), `${path}`), join(lake, `${key}`)].map((file) =>
					readFileSync(file),
				);
				expect([path, stored?.equals(own ?? Buffer.alloc(0))]).toEqual([path, true]);
			}
		});

		limit("is mended from the source", async () => {
			const lake = place.path("lake");
			const before = digestOf(lake);
			const [object = ""] = lakeFiles(lake).filter((path) => path.startsWith("objects/"));
			rmSync(join(lake, object));
			expect(await place.run(["verify", "--lake", lake])).toMatchObject({ exit_code: 4, ok: false });
			expect(await place.run(["verify", "--lake", lake, "--repair"])).toMatchObject({ exit_code: 0, ok: true });
			expect(digestOf(lake)).toBe(before);
		});
	});

	defects(subject, () => place, limit);
	choices(subject, () => place, limit);
	forms(subject, () => place, limit);

	limit(`${dataset.name}: a changed source is told apart, mirrored, and taken back`, async () => {
		const rows = await subject.changed(place.path("changed"));
		await place.mirror("history");
		await place.replaceSource("changed");
		const told = { added: { count: rows.added }, removed: { count: rows.removed }, changed: { count: rows.changed } };
		const source = await place.of("diff", "history", "latest", "source");
		expect(source).toMatchObject({ exit_code: 4, rows: { metadata: told }, unknown: [] });
		expect(await place.mirror("history")).toMatchObject({ state: "published", number: 2 });
		const lake = ["--lake", place.path("history")];
		expect(await place.run(["diff", "1", "2", ...lake])).toMatchObject({ exit_code: 4, rows: { images: told } });
		expect(await place.of("diff", "history", "latest", "source")).toMatchObject({ exit_code: 0, equal: true });
		const first = place.content("lake").filter((path) => path.startsWith("tables/"));
		expect(await place.run(["rollback", "1", ...lake])).toMatchObject({ exit_code: 0, number: 3 });
		const files = place.snapshot("history").tables.images?.files.map(({ path }) => path) ?? [];
		expect(files.sort()).toEqual(first);
		expect(await place.run(["vacuum", ...lake])).toMatchObject({ exit_code: 0 });
		expect(await place.run(["verify", ...lake])).toMatchObject({ exit_code: 0, ok: true });
	});

	describeFleet(`${dataset.name}: the fleet`, () => {
		limit("makes the same lake, byte for byte", async () => {
			expect(await place.mirror("alone")).toMatchObject({ exit_code: 0 });
			const redis = await RedisServer.start();
			const env = { REDIS_URL: redis.url };
			const started = [1, 2].map((one) => place.start(["worker", "--scratch", place.path(`worker-${one}`)], env));
			const workers = await Promise.all(started);
			try {
				await until("two workers are ready", async () => (await redis.client.keys("irlake:worker:*")).length === 2);
				const source = ["--source", `hf://${dataset.repo}@main`, "--shards", shards.join(",")];
				const enqueue = ["enqueue", "--wait", "--lake", place.path("together"), ...source];
				expect(await place.run(enqueue, env)).toMatchObject({ state: "published", exit_code: 0 });
				expect(digestOf(place.path("together"))).toBe(digestOf(place.path("alone")));
			} finally {
				for (const { kill } of workers) kill("SIGTERM");
				await Promise.all(workers.map(({ ended }) => ended));
				await redis.stop();
			}
		});
	});
}

type Limited = (name: string, work: () => Promise<void>) => void;

/** What is found in a source with defects, and how its tables stand. */
function defects(subject: Subject, placeOf: () => Place, limit: Limited): void {
	const { dataset } = subject;

	describe(`${dataset.name}: a source with every defect`, () => {
		let expected: Record<string, ExpectedShard>;
		let document: Document;
		beforeAll(async () => {
			const place = placeOf();
			expected = await subject.planted(place.path("planted"));
			const shards = ["--shards", Object.keys(expected).join(",")];
			document = await place.mirrorFolder("planted", "planted-lake", ...shards, "--max-reject-ratio", "1");
		}, 60_000);

		limit("comes to the findings and counts that were planted, in receipts and snapshot", async () => {
			const place = placeOf();
			expect(document).toMatchObject({ state: "published", exit_code: 0 });
			const snapshot = place.snapshot("planted-lake");
			for (const { shard, receipt } of snapshot.shards) {
				const text = readFileSync(join(place.path("planted-lake"), receipt), "utf8");
				const { findings, counts } = Receipt.parse(JSON.parse(text));
				expect({ shard, findings }).toEqual({ shard, findings: expected[shard]?.findings });
				expect({ shard, counts }).toMatchObject({ shard, counts: expected[shard]?.counts });
				expect(counts.rows_published + counts.rows_rejected).toBe(counts.rows_in);
				expect(counts.members_published + counts.members_rejected + counts.orphans).toBe(counts.members_in);
			}
			expect(snapshot.shards.map(({ shard }) => shard).sort()).toEqual(Object.keys(expected).sort());
			expect(document.findings).toEqual(summed(Object.values(expected).map(({ findings }) => findings)));
		});

		limit("is verified, every image decoded again", async () => {
			const verify = ["verify", "--deep", "--lake", placeOf().path("planted-lake")];
			expect(await placeOf().run(verify)).toMatchObject({ exit_code: 0, ok: true });
		});

		limit("has the dataset's tables, to DuckDB and to Delta Lake", async () => {
			const lake = placeOf().path("planted-lake");
			const { tables } = placeOf().snapshot("planted-lake");
			expect(Object.keys(tables).sort()).toEqual(
				tablesOf(dataset)
					.map(({ name }) => name)
					.sort(),
			);
			for (const table of tablesOf(dataset)) {
				const [file] = tables[table.name]?.files ?? [];
				const found = await columnsOf(join(lake, file?.path ?? ""));
				expect(Object.entries(found)).toEqual(Object.entries(duckdbColumns(table)));
				const log = join(lake, "tables", table.name, "_delta_log", `${"0".repeat(20)}.json`);
				expect(schemaIn(readFileSync(log, "utf8"))).toEqual(deltaSchema(table));
			}
		});
	});
}

function summed(parts: Record<string, number>[]): Record<string, number> {
	const sum: Record<string, number> = {};
	for (const [name, count] of parts.flatMap((part) => Object.entries(part))) sum[name] = (sum[name] ?? 0) + count;
	return sum;
}

function schemaIn(log: string): unknown {
	const actions = log
		.trim()
		.split("\n")
		.map((line) => JSON.parse(line) as { metaData?: { schemaString: string } });
	const text = actions.find(({ metaData }) => metaData !== undefined)?.metaData?.schemaString;
	return JSON.parse(text ?? "null");
}

/** Which rows, which groups, which dataset. */
function choices(subject: Subject, placeOf: () => Place, limit: Limited): void {
	const { dataset } = subject;

	describe(`${dataset.name}: what is asked for`, () => {
		test.each([
			{ name: "some", chosen: subject.some },
			{ name: "few", chosen: subject.few },
		])(
			"a predicate chooses $name rows: $chosen.where",
			async ({ name, chosen }) => {
				const place = placeOf();
				const wanted = await place.ofMetadata("count(*)", chosen.metadata);
				expect(Number(wanted)).toBeGreaterThan(0);
				const source = ["--source", `hf://${dataset.repo}@main`, "--where", chosen.where];
				const plan = await place.of("plan", name, ...source);
				expect(plan).toMatchObject({ exit_code: 0, images_chosen: Number(wanted) });
				if (name === "few") expect(plan.shards).toContainEqual(expect.objectContaining({ ranged: true }));
				expect(await place.of("mirror", name, ...source)).toMatchObject({ state: "published" });
				expect(await place.ofTable(name, "images", "count(*)")).toBe(wanted);
			},
			60_000,
		);

		const groups = [
			["--on-bad-image", "drop-group"],
			["--where", "image_path IS NOT NULL", "--where-mode", "prompt"],
		];
		if (dataset.group === null) {
			limit("groups mean nothing: 2, with the reason, and nothing is touched", async () => {
				for (const command of ["mirror", "plan", "enqueue"]) {
					for (const flags of groups) {
						const end = await placeOf().of(command, "none", "--dataset", dataset.name, ...flags);
						const message = expect.stringContaining(`the images of ${dataset.title} stand in no groups`);
						expect(end).toMatchObject({ exit_code: 2, error: { code: "USAGE", message } });
					}
				}
				expect(existsSync(placeOf().path("none"))).toBe(false);
			});
		} else {
			limit("groups are a choice", async () => {
				for (const flags of groups)
					expect(await placeOf().of("plan", "none", ...flags)).toMatchObject({ exit_code: 0 });
			});
		}

		limit("the dataset is the lake's: another one is refused, and a mistyped one", async () => {
			const place = placeOf();
			const [other] = datasets.filter((one) => one !== dataset);
			const before = digestOf(place.path("lake"));
			const refused = { code: "USAGE", message: expect.stringContaining(`holds ${dataset.name}`) };
			const asked = await place.run(["mirror", "--lake", place.path("lake"), "--dataset", other?.name ?? ""]);
			expect(asked).toMatchObject({ exit_code: 2, error: refused });
			expect(digestOf(place.path("lake"))).toBe(before);
			const mistyped = await place.run(["plan", "--lake", place.path("new"), "--dataset", `${dataset.name}x`]);
			const meant = { code: "USAGE", hint: expect.stringContaining(`Did you mean ${dataset.name}?`) };
			expect(mistyped).toMatchObject({ exit_code: 2, error: meant });
		});

		limit("a folder of another dataset is told apart", async () => {
			const place = placeOf();
			const [other] = datasets.filter((one) => one !== dataset);
			const source = ["--source", `file://${place.path("source")}`, "--dataset", other?.name ?? ""];
			const end = await place.run(["mirror", "--lake", place.path("new"), ...source]);
			const hint = expect.stringContaining(`--dataset ${dataset.name}`);
			expect(end).toMatchObject({ exit_code: 2, error: { code: "SOURCE_NOT_FOUND", hint } });
			expect(existsSync(place.path("new/latest.json"))).toBe(false);
		});
	});
}

/** The same content in other forms. */
function forms(subject: Subject, placeOf: () => Place, limit: Limited): void {
	const { dataset } = subject;
	const exported = (format: string): Promise<Document> => {
		const out = ["--out", placeOf().path(`as-${format}`)];
		return placeOf().run(["export", format, "--lake", placeOf().path("lake"), ...out]);
	};

	describe(`${dataset.name}: other forms`, () => {
		limit("an unpacked source gives the same objects and rows", async () => {
			await subject.clean(placeOf().path("unpacked"), "unpacked");
			expect(await placeOf().mirrorFolder("unpacked", "of-unpacked")).toMatchObject({ exit_code: 0 });
			expect(placeOf().content("of-unpacked")).toEqual(placeOf().content("lake"));
		});

		limit("the files that a lake is exported as are a source of the same lake", async () => {
			expect(await exported("files")).toMatchObject({ state: "exported", exit_code: 0 });
			expect(await placeOf().mirrorFolder("as-files", "of-files")).toMatchObject({ exit_code: 0, findings: {} });
			expect(placeOf().content("of-files")).toEqual(placeOf().content("lake"));
		});

		test.each(["webdataset", ...subject.exports])(
			"it can be exported as %s",
			async (format) => {
				const images = Number(await placeOf().ofTable("lake", "images", "count(*)"));
				expect(await exported(format)).toMatchObject({ state: "exported", exit_code: 0, counts: { images } });
			},
			60_000,
		);

		limit("webdataset has each image with its row", async () => {
			const folder = placeOf().path("as-webdataset");
			const tars = readdirSync(folder).filter((name) => name.endsWith(".tar"));
			const lists = await Promise.all(tars.map((tar) => runProgram("tar", ["-tf", join(folder, tar)])));
			const names = lists.flatMap(({ stdout }) => stdout.trim().split("\n"));
			const images = Number(await placeOf().ofTable("lake", "images", "count(*)"));
			const format = dataset.layout.format(subject.shards[0] ?? "");
			expect(names.filter((name) => name.endsWith(`.${format}`))).toHaveLength(images);
			expect(names.filter((name) => name.endsWith(".json"))).toHaveLength(images);
			expect(new Set(names).size).toBe(2 * images);
		});

		limit("what another dataset can be exported as is refused", async () => {
			const others = datasets.filter((one) => one !== dataset).flatMap((one) => Object.keys(one.exports));
			for (const format of others.filter((one) => dataset.exports[one] === undefined)) {
				const message = expect.stringContaining(`${dataset.title} has no export`);
				expect(await exported(format)).toMatchObject({ exit_code: 2, error: { code: "USAGE", message } });
				expect(existsSync(placeOf().path(`as-${format}`))).toBe(false);
			}
		});
	});
}
