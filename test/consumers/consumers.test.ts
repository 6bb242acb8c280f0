import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { PARTITION_COLUMNS } from "../../schemas/tables.js";
import { runCli, startCli } from "../support/cli.js";
import { describeS3 } from "../support/describe-s3.js";
import { ExportLab } from "../support/export-lab.js";
import { pythonVerdict, requireOrSkip } from "../support/python.js";
import { ROOT } from "../support/root.js";
import { S3Server } from "../support/s3.js";
import { TABLES } from "../support/tables.js";

/** docs/consumers.md is true, and three engines agree about every table. */

const LONG = 300_000;
const PAGE = join(ROOT, "docs/consumers.md");
/** How many snippets each tool has there. */
const SNIPPETS = {
	"Hugging Face datasets": 2,
	"pandas and pyarrow": 1,
	Polars: 1,
	DuckDB: 2,
	"PyTorch with WebDataset": 1,
	"The ImageReward training code": 1,
};
const SHARDS = ["train_1", "test_1"];
const STEPS = [["test_1"], ["train_1"]];
const Ran = z.object({ ran: z.record(z.string(), z.int()), problems: z.array(z.string()) });
const Answers = z.object({ answers: z.record(z.string(), z.record(z.string(), z.array(z.array(z.unknown())))) });
const READERS = ["delta-rs", "duckdb", "polars"];

const describePython = await requireOrSkip();
const describeServer = await describeS3();

/** The answers of one reader, having seen that all three agree. */
async function agreed(lake: string, version: number): Promise<Record<string, unknown[][]>> {
	const { answers } = await pythonVerdict(Answers, "ten_queries.py", [lake, String(version)]);
	expect(Object.keys(answers)).toHaveLength(10);
	const first: Record<string, unknown[][]> = {};
	for (const [query, rows] of Object.entries(answers)) {
		expect(Object.keys(rows).sort()).toEqual(READERS);
		for (const reader of READERS) expect({ [query]: rows[reader] }).toEqual({ [query]: rows.duckdb });
		first[query] = rows.duckdb ?? [];
	}
	return first;
}

describePython("a lake of two snapshots", () => {
	let lab: ExportLab;
	beforeAll(async () => {
		const defect = { code: "IMAGE_EMPTY", shard: "train_1", variant: null } as const;
		lab = await ExportLab.open("consumers", { shards: SHARDS, images: 24, size: 64, defect }, STEPS);
	}, LONG);
	afterAll(() => lab.close());

	test(
		"delta-rs, DuckDB and polars answer ten queries alike, of the newest snapshot and of an older one",
		async () => {
			const older = await agreed(lab.lake, 0);
			const newest = await agreed(lab.lake, 1);
			expect(older["images of each split"]).toEqual([["test", 24]]);
			expect(newest["images of each split"]).toEqual([
				["test", 24],
				["train", 23],
			]);
			expect(older.findings).toEqual([]);
			expect(newest.findings).toContainEqual(["IMAGE_EMPTY", "reject", 1]);
		},
		LONG,
	);

	describeServer("on S3", () => {
		let server: S3Server;
		beforeAll(async () => {
			server = await S3Server.start();
		}, LONG);
		afterAll(() => server?.stop());

		test(
			"they give the same answers as in a folder",
			async () => {
				const lake = `s3://${server.bucket}/ten`;
				for (const shards of STEPS) {
					expect((await lab.mirror(lab.source, lake, shards, server.env())).code).toBe(0);
				}
				Object.assign(process.env, server.env(), { AWS_ENDPOINT_URL: server.endpoint });
				for (const version of [0, 1]) expect(await agreed(lake, version)).toEqual(await agreed(lab.lake, version));
			},
			LONG,
		);

		test(
			"an export from there to there has the bytes of one from folder to folder, and goes on when it is run again",
			async () => {
				const lake = `s3://${server.bucket}/source`;
				expect((await lab.mirror(lab.source, lake, SHARDS, server.env())).code).toBe(0);
				const out = `s3://${server.bucket}/hub-repo`;
				const env = server.env();
				const args = ["--lake", lake, "--shards", "test_1"];
				const there = await lab.exportTo("hf", out, args, env);
				expect(there).toMatchObject({ state: "exported", exit_code: 0 });
				expect(await lab.exportTo("hf", out, args, env)).toMatchObject({ state: "up_to_date" });
				expect(await lab.exportTo("files", out, args, env)).toMatchObject({ exit_code: 2 });
				const here = await lab.exportTo("hf", lab.path("from-s3"), args, env);
				expect(here.files).toEqual(there.files);
			},
			LONG,
		);

		test(
			"an export killed on its way there vouches for nothing, and goes on to the same bytes",
			async () => {
				const args = ["--out", `s3://${server.bucket}/killed`, "--lake", lab.lake, "--scratch", lab.path("killed")];
				const child = await startCli(["export", "hf", ...args], server.env());
				const done = () =>
					lab.names("killed/exports").some((name) => lab.names(`killed/exports/${name}`).includes("done"));
				while (!done() && child.child.exitCode === null) await setTimeout(2);
				child.kill("SIGKILL");
				expect((await child.ended).signal).toBe("SIGKILL");
				const list = new ListObjectsV2Command({ Bucket: server.bucket, Prefix: "killed/" });
				const keys = ((await server.client.send(list)).Contents ?? []).map(({ Key }) => Key);
				expect(keys).toContainEqual(expect.stringContaining("data/rows/"));
				expect(keys).not.toContain("killed/README.md");
				expect(keys).not.toContain("killed/export.json");
				const there = JSON.parse((await runCli(["export", "hf", ...args, "--json"], server.env())).stdout);
				const here = await lab.export("hf", "not-killed");
				expect(there).toMatchObject({ state: "exported", files: here.files });
			},
			LONG,
		);
	});

	test(
		"every snippet of docs/consumers.md runs",
		async () => {
			const exports = { hf: "hub-repo", webdataset: "tars", imagereward: "training", files: "unpacked" };
			for (const [format, out] of Object.entries(exports)) {
				expect(await lab.export(format, out)).toMatchObject({ state: "exported" });
			}
			const verdict = await pythonVerdict(Ran, "run_snippets.py", [PAGE, lab.path(".")]);
			expect(verdict).toEqual({ ran: SNIPPETS, problems: [] });
		},
		LONG,
	);
});

describe("docs/consumers.md", () => {
	test("names the columns of images, in their order, for Trino", () => {
		const types = { text: "varchar", byte: "tinyint", integer: "integer", long: "bigint", texts: "array(varchar)" };
		const columns = [...TABLES.images.columns, ...PARTITION_COLUMNS].map(({ name, type }) => {
			return `${name} ${types[type as keyof typeof types]}`;
		});
		const [, told = ""] =
			/CREATE TABLE hive\.imagereward\.images \((.*?)\n\) WITH/s.exec(readFileSync(PAGE, "utf8")) ?? [];
		expect(told.split(/,\s+/).map((column) => column.trim())).toEqual(columns);
	});
});
