import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { scratchFolder, wantedShards } from "../../../workers/options.js";
import { refusal } from "../../support/refusal.js";

describe("the shards wanted", () => {
	const wanted = (options: Parameters<typeof wantedShards>[1]): string[] => wantedShards(imageRewardDb, options);

	test.each([
		[{}, 36],
		[{ subset: "1k" }, 8],
		[{ subset: "2k" }, 12],
		[{ subset: "4k" }, 20],
		[{ subset: "8k" }, 36],
		[{ split: ["train"] }, 32],
		[{ subset: "1k", split: ["train"] }, 4],
		[{ split: ["validation", "test"] }, 4],
	] as const)("%j are %i", (options, count) => {
		expect(wanted(options as Parameters<typeof wantedShards>[1])).toHaveLength(count);
	});

	test("a list has single names and ranges; each shard once, in the dataset's order", () => {
		expect(wanted({ shards: "test_1, train_7-9,train_8,train_1" })).toEqual([
			"train_1",
			"train_7",
			"train_8",
			"train_9",
			"test_1",
		]);
	});

	test.each(["train_0", "train_33", "dev_1", "train", "train_3-1", "train_1,,train_2", "", "train_1..3"])(
		"%j is no list of shards",
		(shards) => {
			expect(refusal(() => wanted({ shards })).code).toBe("USAGE");
		},
	);

	test("a list must lie inside the subset and splits given beside it", () => {
		expect(wanted({ shards: "train_4", subset: "1k" })).toEqual(["train_4"]);
		expect(refusal(() => wanted({ shards: "train_5", subset: "1k" })).code).toBe("USAGE");
		expect(refusal(() => wanted({ shards: "train_1", split: ["test"] })).code).toBe("USAGE");
	});
});

describe("what is not there is told with what is, and with what may have been meant", () => {
	test.each([
		[{ shards: "train_33" }, "has train_1 to train_32.", "Did you mean train_32?"],
		[{ shards: "validation_0" }, "has validation_1 to validation_2.", "Did you mean validation_1?"],
		[{ shards: "tain_1" }, "has train_1 to train_32, validation_1 to validation_2, test_1", "Did you mean train_1?"],
		[{ shards: "train-1" }, "give names such as train_1,train_7-9.", "Did you mean train_1?"],
		[{ subset: "1K" }, "give 1k, 2k, 4k or 8k.", "Did you mean 1k?"],
		[{ split: ["tests"] }, "give train, validation or test.", "Did you mean test?"],
	])("%j", (options, there, meant) => {
		const { code, message, hint } = refusal(() => wantedShards(imageRewardDb, options));
		expect({ code, message, hint }).toEqual({
			code: "USAGE",
			message: expect.stringContaining(there),
			hint: expect.stringContaining(meant),
		});
	});
});

test("scratch is the flag's, else under XDG_CACHE_HOME, else under the home folder", () => {
	expect(scratchFolder({ scratch: "/s" }, { XDG_CACHE_HOME: "/x" })).toBe("/s");
	expect(scratchFolder({}, { XDG_CACHE_HOME: "/x" })).toBe("/x/irlake");
	expect(scratchFolder({}, {})).toMatch(/\/\.cache\/irlake$/);
});
