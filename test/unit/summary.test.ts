import { expect, test } from "@jest/globals";
import { imageRewardDb } from "../../pipelines/datasets/image-reward-db.js";
import { DEFAULT_SETTINGS } from "../../schemas/settings.js";
import { splitsText } from "../../workers/summary.js";
import { receipt } from "./values.js";

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
