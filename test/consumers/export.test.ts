import { statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import { ExportLab } from "../support/export-lab.js";
import { latestSnapshot } from "../support/lake.js";
import { lakeDigest, pythonVerdict, requireOrSkip } from "../support/python.js";

/** Other people's readers open the exports, and find in them what the source holds. */

/** One train shard of each size's own, so that the sizes differ. */
const SHARDS = ["train_1", "train_2", "train_5", "train_9", "train_17", "validation_1", "test_1"];
const LONG = 300_000;

const HfVerdict = z.object({
	configs: z.record(z.string(), z.record(z.string(), z.int())),
	images: z.int(),
	row_groups: z.int(),
	problems: z.array(z.string()),
});
const Problems = z.looseObject({ problems: z.array(z.string()) });

const describePython = await requireOrSkip();

describePython("exports of a lake", () => {
	let lab: ExportLab;
	beforeAll(async () => {
		lab = await ExportLab.open("export", { shards: SHARDS, images: 24, size: 64 });
	}, LONG);
	afterAll(() => lab.close());

	test.each(["rows", "embed"])(
		"datasets loads all twelve configurations as the former script gave them, pairs as %s",
		async (pairs) => {
			const out = `hf-${pairs}`;
			expect(await lab.export("hf", out, "--pairs", pairs)).toMatchObject({ state: "exported", exit_code: 0 });
			const args = [lab.path(out), lab.source, lab.lake, SHARDS.join(","), pairs];
			const verdict = await pythonVerdict(HfVerdict, "check_hf.py", args);
			expect(verdict.problems).toEqual([]);
			expect(Object.keys(verdict.configs)).toHaveLength(12);
			const sizes = ["1k", "2k", "4k", "8k"].map((size) => verdict.configs[size]?.train);
			expect(sizes).toEqual([48, 72, 96, 120]);
			// Once from the rows, once from the groups.
			expect(verdict.images).toBe(2 * 24 * SHARDS.length);
		},
		LONG,
	);

	test(
		"webdataset reads every image and its row from tars of the size asked for",
		async () => {
			expect(await lab.export("webdataset", "tars", "--shard-size", "300kB")).toMatchObject({ state: "exported" });
			const args = ["webdataset", lab.path("tars"), lab.source, SHARDS.join(","), "300000"];
			const verdict = await pythonVerdict(Problems, "check_exports.py", args);
			expect(verdict).toMatchObject({ problems: [], samples: 24 * SHARDS.length });
			expect(verdict.tars).toBeGreaterThan(3);
		},
		LONG,
	);

	test("an image larger than a tar may be is refused before anything is written", async () => {
		const document = await lab.export("webdataset", "too-small", "--shard-size", "4kB");
		expect(document).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
		expect(lab.names("too-small")).not.toContain("index.json");
	});

	test(
		"the authors' way of reading finds every image of train.json, valid.json and test.json",
		async () => {
			await lab.export("imagereward", "training");
			const args = ["imagereward", lab.path("training"), lab.source, SHARDS.join(",")];
			const verdict = await pythonVerdict(Problems, "check_exports.py", args);
			expect(verdict.problems).toEqual([]);
		},
		LONG,
	);

	test(
		"the unpacked layout is a source that mirrors to the same objects and tables, and shares the lake's bytes",
		async () => {
			await lab.export("files", "unpacked");
			const again = lab.path("again");
			expect((await lab.mirror(lab.path("unpacked"), again, SHARDS)).code).toBe(0);
			const parts: ["objects", "tables-parquet"] = ["objects", "tables-parquet"];
			expect(await lakeDigest(again, parts)).toBe(await lakeDigest(lab.lake, parts));
			const folder = join(lab.path("unpacked"), "images/test/test_1");
			const images = lab.names("unpacked/images/test/test_1").filter((name) => name.endsWith(".webp"));
			expect(images).toHaveLength(24);
			for (const name of images) expect(statSync(join(folder, name)).nlink).toBeGreaterThan(1);
			expect(latestSnapshot(again).counts.rows_published).toBe(24 * SHARDS.length);
		},
		LONG,
	);
});
