import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Receipt, Snapshot } from "../../schemas/records.js";
import { lakeFiles } from "../faults/lake.js";
import { startHub } from "../hub/client.js";
import type { Planted } from "../sample/expected.js";
import { makeSample } from "../sample/make.js";
import { documentOf, runCli } from "../support/cli.js";
import { tempDir } from "../support/root.js";

const root = tempDir("defects");
afterAll(() => root.remove());

const scratch = join(root.path, "scratch");
const SHARDS = ["train_1", "train_2", "train_3", "validation_1", "test_1", "test_2"];

function mirror(source: string, lake: string, ...more: string[]): ReturnType<typeof runCli> {
	return runCli(["mirror", "--source", `file://${source}`, "--lake", lake, "--scratch", scratch, "--json", ...more]);
}

function newest(lake: string): Snapshot {
	const { snapshot } = JSON.parse(readFileSync(join(lake, "latest.json"), "utf8")) as { snapshot: string };
	return Snapshot.parse(JSON.parse(readFileSync(join(lake, snapshot), "utf8")));
}

function receipts(lake: string): Receipt[] {
	return newest(lake).shards.map(({ receipt }) => JSON.parse(readFileSync(join(lake, receipt), "utf8")) as Receipt);
}

describe("one of every row, image and warn defect", () => {
	const source = join(root.path, "source");
	let planted: Planted;
	beforeAll(async () => {
		planted = await makeSample(source, { shards: SHARDS, defects: true, size: 128 });
	}, 120_000);

	test("is found under its code, and nothing else is; the counts reconcile", async () => {
		const lake = join(root.path, "lake");
		const document = documentOf(await mirror(source, lake, "--shards", SHARDS.join(",")));
		expect(document).toMatchObject({ state: "published", findings: planted.findings, counts: planted.counts ?? {} });
		for (const { shard, findings, counts } of receipts(lake)) {
			expect({ shard, findings }).toEqual({ shard, findings: planted.shards[shard]?.findings });
			expect(counts).toMatchObject(planted.shards[shard]?.counts ?? {});
			expect(counts.rows_in).toBe(counts.rows_published + counts.rows_rejected);
			expect(counts.members_in).toBe(counts.members_published + counts.members_rejected + counts.orphans);
		}
		const objects = lakeFiles(lake).filter((path) => path.startsWith("objects/"));
		const audit = await runCli(["verify", "--lake", lake, "--scratch", scratch, "--json"]);
		expect(JSON.parse(audit.stdout)).toMatchObject({ ok: true, checked: { objects: objects.length } });
	}, 180_000);

	test("with drop-group, only innocent rows of the prompts hit are dropped beside them", async () => {
		const lake = join(root.path, "lake-groups");
		const document = documentOf(
			await mirror(source, lake, "--shards", SHARDS.join(","), "--on-bad-image", "drop-group"),
		);
		const found = document.findings as Record<string, number>;
		const { GROUP_DROPPED = 0, ...others } = found;
		expect(others).toEqual(planted.findings);
		expect(GROUP_DROPPED).toBeGreaterThan(0);
		const { counts } = newest(lake);
		expect(counts.rows_rejected).toBe((planted.counts?.rows_rejected ?? 0) + GROUP_DROPPED);
		expect(counts.rows_in).toBe(counts.rows_published + counts.rows_rejected);
	}, 180_000);
});

describe("a fatal defect", () => {
	const shards = ["train_1", "train_2"];
	const both = ["--shards", shards.join(",")];

	test.each(["SHARD_MISSING", "METADATA_MISSING", "METADATA_SCHEMA_DRIFT"] as const)(
		"%s ends the run before any work, skip or not",
		async (code) => {
			const source = join(root.path, `source-${code}`);
			await makeSample(source, { shards, size: 64, defect: { code, shard: null, variant: null } });
			const lake = join(root.path, `lake-${code}`);
			const end = await mirror(source, lake, ...both, "--on-shard-failure", "skip");
			expect({ exit: end.code, code: documentOf(end).error?.code }).toEqual({ exit: 1, code });
			expect(existsSync(join(lake, "latest.json"))).toBe(false);
			expect(end.stderr).not.toMatch(/^\s+at /m);
		},
		60_000,
	);

	test.each(["ZIP_CORRUPT", "ZIP_UNSAFE", "JSON_MISSING", "JSON_INVALID", "REJECT_RATIO_EXCEEDED"] as const)(
		"%s fails its shard: nothing is published, and with skip all but it",
		async (code) => {
			const source = join(root.path, `source-${code}`);
			await makeSample(source, { shards, size: 64, defect: { code, shard: "train_2", variant: null } });
			const lake = join(root.path, `lake-${code}`);
			const failed = await mirror(source, lake, ...both);
			expect(failed.code).toBe(1);
			const told = documentOf(failed).shards?.find(({ shard }) => shard === "train_2");
			expect(told).toMatchObject({ state: "failed", code });
			expect(documentOf(failed)).toMatchObject({ state: "failed", counts: null });
			expect(existsSync(join(lake, "latest.json"))).toBe(false);
			const skipped = await mirror(source, lake, ...both, "--on-shard-failure", "skip");
			expect({ exit: skipped.code, state: documentOf(skipped).state }).toEqual({ exit: 3, state: "published" });
			expect(newest(lake).skipped).toMatchObject([{ shard: "train_2", code }]);
			expect(newest(lake).shards.map(({ shard }) => shard)).toEqual(["train_1"]);
			const again = await mirror(source, lake, ...both, "--on-shard-failure", "skip");
			expect({ exit: again.code, state: documentOf(again).state }).toEqual({ exit: 3, state: "up_to_date" });
			if (code === "REJECT_RATIO_EXCEEDED") {
				const kept = readdirSync(join(scratch, "failed")).filter((name) => name.startsWith("train_2-"));
				expect(kept.length).toBeGreaterThan(0);
			}
		},
		90_000,
	);

	test("SHARD_HASH_MISMATCH names both hashes, and leaves nothing behind", async () => {
		const source = join(root.path, "source-hash");
		const planted = await makeSample(source, { shards, size: 64 });
		expect(planted.counts?.rows_in).toBe(24);
		const hub = await startHub(source);
		try {
			await hub.faults([{ match: { route: "cdn", path: "images/train/train_2.zip" }, times: 2, kind: "wrong-bytes" }]);
			const lake = join(root.path, "lake-hash");
			const args = ["mirror", ...both, "--lake", lake, "--scratch", join(root.path, "scratch-hash"), "--json"];
			const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" };
			const end = await runCli(args, env);
			const told = JSON.parse(end.stdout) as { shards: { shard: string; code: string; detail: string }[] };
			const failed = told.shards.find(({ shard }) => shard === "train_2");
			expect({ exit: end.code, code: failed?.code }).toEqual({ exit: 1, code: "SHARD_HASH_MISMATCH" });
			expect(failed?.detail.match(/[0-9a-f]{64}/g)).toHaveLength(2);
			expect((await runCli(args, env)).code).toBe(0);
		} finally {
			await hub.stop();
		}
	}, 90_000);
});
