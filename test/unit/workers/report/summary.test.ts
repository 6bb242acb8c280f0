import { expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../pipelines/datasets/imagereward-db/dataset.js";
import { failedOutcome, goodOutcome } from "../../../../pipelines/mirror/outcome.js";
import { FINDINGS } from "../../../../schemas/codes.js";
import { LakeError } from "../../../../schemas/errors.js";
import { DEFAULT_SETTINGS } from "../../../../schemas/settings.js";
import { failuresText, findingsText, shardsText, splitsText } from "../../../../workers/report/summary.js";
import { receipt } from "../../../support/values.js";

/** What the dataset's card says stands beside what was counted where the two can be compared. */

const cells = (text: string): string[] => (text.split("\n")[1] ?? "").trim().split(/ +/);

test("of a whole split, but not of a selection from it, nor of a part of its shards", () => {
	const whole = [receipt("test_1", "one"), receipt("test_2", "two")];
	expect(cells(splitsText(imageRewardDb, whole))).toEqual(["test", "2/2", "2", "466", "2", "2.7K", "0", "7.23K"]);
	const settings = { ...DEFAULT_SETTINGS, where: "rank = 1", where_mode: "image" as const };
	const selected = whole.map((one) => ({ ...one, settings }));
	expect(cells(splitsText(imageRewardDb, selected))).toEqual(["test", "2/2", "2", "-", "2", "-", "0", "-"]);
	expect(cells(splitsText(imageRewardDb, whole.slice(1)))).toEqual(["test", "1/2", "1", "-", "1", "-", "0", "-"]);
});

test("a shard that failed is told with what to do, and findings with what they mean, within 80 columns", () => {
	const failed = failedOutcome(
		"test_1",
		new LakeError("ZIP_CORRUPT", `test_1.zip: ${"cut short ".repeat(12)}`),
		"fail",
	);
	const told = [failuresText([failed]), findingsText({ IMAGE_EMPTY: 2, PROMPT_CONFLICT: 1 })].join("\n");
	const words = told.replace(/\s+/g, " ");
	for (const code of ["ZIP_CORRUPT"] as const) expect(words).toContain(FINDINGS[code].todo);
	for (const code of ["IMAGE_EMPTY", "PROMPT_CONFLICT"] as const) expect(words).toContain(FINDINGS[code].meaning);
	for (const line of told.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
});

test("how the shards ended is said of one as of many", () => {
	const reused = (shard: string) => goodOutcome(shard, "reused");
	expect(shardsText([reused("test_1"), goodOutcome("test_2", "done")])).toBe("1 shard done, 1 as it was");
	expect(shardsText([reused("test_1"), reused("test_2")])).toBe("2 shards as they were");
});
