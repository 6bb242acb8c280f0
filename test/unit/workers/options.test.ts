import { resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { LakeError } from "../../../schemas/errors.js";
import { parseLake, parseSource, readOptions, scratchFolder, wantedShards } from "../../../workers/options.js";

function refusal(work: () => unknown): { code: string; message: string } {
	try {
		work();
	} catch (error) {
		if (error instanceof LakeError) return { code: error.code, message: error.message };
		throw error;
	}
	throw new Error("nothing was thrown");
}

describe("flags and variables", () => {
	test("nothing given: the defaults, and no setting", () => {
		expect(readOptions({}, {})).toEqual({
			source: "hf://zai-org/ImageRewardDB@main",
			lake: "./lake",
			concurrency: 2,
			on_shard_failure: "fail",
			max_reject_ratio: 0.05,
			keep_rejected: false,
			prune: false,
			new_settings: false,
			retries: 5,
			retry_wait: 1,
			idle_timeout: 30,
			allow_private_redirects: false,
			single_writer: false,
			rehash: false,
			json: false,
			deep: false,
			repair: false,
			queue_prefix: "irlake",
			keep: 7,
			keep_days: 0,
			yes: false,
			wait: false,
			watch: false,
			snapshot: "latest",
			pairs: "rows",
			shard_size: 1e9,
			overwrite: false,
			limit: 20,
		});
	});

	test("a flag wins over its variable, a variable over the default, an empty variable is none", () => {
		const env = { IRLAKE_LAKE: "/v", IRLAKE_CONCURRENCY: "3", IRLAKE_MAX_REJECT_RATIO: "0.5", IRLAKE_SCRATCH: "" };
		const options = readOptions({ lake: "/f" }, env);
		expect(options).toMatchObject({ lake: "/f", concurrency: 3, max_reject_ratio: 0.5 });
		expect(options.scratch).toBeUndefined();
	});

	test.each([
		["1", true],
		["true", true],
		["0", false],
		["false", false],
	])("IRLAKE_PRUNE=%s is %s", (text, value) => {
		expect(readOptions({}, { IRLAKE_PRUNE: text }).prune).toBe(value);
	});

	test.each([
		["0", 0],
		["90", 90],
		["90s", 90],
		["1.5m", 90],
		["24h", 86_400],
		["7d", 604_800],
	])("--grace %s is %i seconds", (text, seconds) => {
		expect(readOptions({ grace: text }, {}).grace).toBe(seconds);
	});

	test("splits may be given one by one or with commas, as a flag and as a variable", () => {
		expect(readOptions({ split: ["train", "test"] }, {}).split).toEqual(["train", "test"]);
		expect(readOptions({ split: ["train,test"] }, {}).split).toEqual(["train", "test"]);
		expect(readOptions({}, { IRLAKE_SPLIT: "validation,test" }).split).toEqual(["validation", "test"]);
	});

	test.each([
		[{ concurrency: "1.5" }, {}, "--concurrency"],
		[{ concurrency: "65" }, {}, "--concurrency"],
		[{ maxRejectRatio: "-0.1" }, {}, "--max-reject-ratio"],
		[{ maxRejectRatio: "1.01" }, {}, "--max-reject-ratio"],
		[{ quality: "0" }, {}, "--quality"],
		[{ maxSide: "16384" }, {}, "--max-side"],
		[{ lake: "" }, {}, "--lake"],
		[{ grace: "soon" }, {}, "--grace"],
		[{ grace: "-1h" }, {}, "--grace"],
		[{ keep: "0" }, {}, "--keep"],
		[{ keepDays: "1.5" }, {}, "--keep-days"],
		[{}, { IRLAKE_PRUNE: "perhaps" }, "IRLAKE_PRUNE"],
		[{}, { IRLAKE_SUBSET: "1K" }, "IRLAKE_SUBSET"],
	])("%j %j is refused, and %s named", (flags, env, name) => {
		const { code, message } = refusal(() => readOptions(flags, env));
		expect(code).toBe("USAGE");
		expect(message.startsWith(`${name} cannot be `)).toBe(true);
	});
});

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

describe("addresses", () => {
	test.each([
		["hf://zai-org/ImageRewardDB", { kind: "hub", repo: "zai-org/ImageRewardDB", revision: "main" }],
		["hf://a/b@refs/pr/1", { kind: "hub", repo: "a/b", revision: "refs/pr/1" }],
		["file:///data/copy%20of", { kind: "folder", folder: "/data/copy of" }],
		["/data/copy", { kind: "folder", folder: "/data/copy" }],
		["./copy", { kind: "folder", folder: resolve("copy") }],
	])("source %s", (text, address) => {
		expect(parseSource(text)).toEqual(address);
	});

	test.each([
		"zai-org/ImageRewardDB",
		"hf://ImageRewardDB",
		"hf://a/b@",
		"https://huggingface.co/a/b",
		"file://host/x",
		"s3://b",
	])("%s is no source", (text) => {
		expect(refusal(() => parseSource(text)).code).toBe("USAGE");
	});

	test("a refused address does not show the credentials in it", () => {
		expect(refusal(() => parseSource("https://user:secret@host/x")).message).not.toContain("secret");
		expect(refusal(() => parseLake("s3://user:secret@bucket/x"))).toMatchObject({ code: "USAGE" });
		expect(refusal(() => parseLake("gs://user:secret@bucket/x"))).toMatchObject({ code: "LAKE_UNSUPPORTED" });
		expect(refusal(() => parseLake("gs://user:secret@bucket/x")).message).not.toContain("secret");
		expect(refusal(() => parseLake("s3://user:secret@bucket/x")).message).not.toContain("secret");
	});

	test("a lake is a folder, as a path or as an address", () => {
		expect(parseLake("file:///data/lake")).toEqual({ kind: "folder", folder: "/data/lake" });
		expect(parseLake("lake")).toEqual({ kind: "folder", folder: resolve("lake") });
		expect(refusal(() => parseLake("file://host/lake")).code).toBe("LAKE_UNSUPPORTED");
		expect(refusal(() => parseLake("file:///a%2Fb")).code).toBe("LAKE_UNSUPPORTED");
	});

	test.each([
		["s3://bucket", "bucket", ""],
		["s3://bucket/", "bucket", ""],
		["s3://my.bucket-1/a/b c/ü/", "my.bucket-1", "a/b c/ü"],
	])("a lake on S3: %s", (text, bucket, prefix) => {
		expect(parseLake(text)).toEqual({ kind: "s3", bucket, prefix });
	});

	test.each(["s3://", "s3:///a", "s3://b", "s3://bucket//a", "s3://bucket/../a", "s3://bucket/a?b", "s3://bu cket/a"])(
		"%s is no lake on S3",
		(text) => {
			expect(refusal(() => parseLake(text))).toMatchObject({ code: "USAGE" });
		},
	);

	test("scratch is the flag's, else under XDG_CACHE_HOME, else under the home folder", () => {
		expect(scratchFolder({ scratch: "/s" }, { XDG_CACHE_HOME: "/x" })).toBe("/s");
		expect(scratchFolder({}, { XDG_CACHE_HOME: "/x" })).toBe("/x/irlake");
		expect(scratchFolder({}, {})).toMatch(/\/\.cache\/irlake$/);
	});
});
