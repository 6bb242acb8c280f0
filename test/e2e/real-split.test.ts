import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { python, recompute } from "../consumers/python.js";
import { startHub } from "../hub/client.js";
import { makeSample } from "../sample/make.js";
import { documentOf, runCli } from "../support/cli.js";
import { REAL_DATA, tempDir } from "../support/root.js";

if (REAL_DATA === null)
	process.stderr.write("No real data beside the checkout: the test of the real split is skipped.\n");
const describeReal = REAL_DATA === null ? describe.skip : describe;

describeReal("the real test split, mirrored from the Hub", () => {
	const root = tempDir("real");
	afterAll(() => root.remove());

	test("has the counts that the authors' release has, and every cell that an independent reader computes", async () => {
		const source = join(root.path, "source");
		const lake = join(root.path, "lake");
		await makeSample(source, { from: REAL_DATA });
		const hub = await startHub(source);
		try {
			const args = ["mirror", "--split", "test", "--lake", lake, "--scratch", join(root.path, "scratch"), "--json"];
			const end = await runCli(args, { HF_ENDPOINT: hub.endpoint, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" });
			expect(documentOf(end)).toMatchObject({
				state: "published",
				number: 1,
				counts: {
					prompts: 466,
					rows_in: 2720,
					rows_published: 2720,
					rows_rejected: 0,
					pairs: 6399,
					ties: 831,
					shards: 2,
				},
				findings: {},
				error: null,
			});
			expect(end.code).toBe(0);
		} finally {
			await hub.stop();
		}
		const latest = JSON.parse(readFileSync(join(lake, "latest.json"), "utf8")) as { snapshot: string };
		expect(latest.snapshot).toMatch(/^snapshots\/000001-[0-9a-f]{12}\.json$/);
		if ((await python()) === null && process.env.REQUIRE_SERVICES !== "1") return;
		const verdict = await recompute(source, lake);
		expect(verdict).toMatchObject({ different: 0, ties: 831 });
		expect(verdict.cells).toBeGreaterThan(300_000);
		expect(verdict.delta_rows).toMatchObject({ images: 2720, prompts: 466, pairs: 6399 });
		expect(verdict.duckdb_rows).toEqual(verdict.delta_rows);
		const audit = await runCli(["verify", "--deep", "--lake", lake, "--scratch", join(root.path, "scratch"), "--json"]);
		expect(JSON.parse(audit.stdout)).toMatchObject({
			ok: true,
			problems: [],
			checked: { objects: 2720, decoded: 2720 },
		});
	}, 300_000);
});
