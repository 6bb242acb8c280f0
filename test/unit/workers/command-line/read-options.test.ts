import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../pipelines/datasets/imagereward-db/dataset.js";
import { CONCURRENCY, mirrorOptions, NETWORK, QUEUE } from "../../../../workers/command-line/options.js";
import { readOptions } from "../../../../workers/command-line/read-options.js";
import { datasetHelp } from "../../../../workers/dataset-help.js";
import { refusal } from "../../../support/refusal.js";

/** Options come from flags, from variables, and from their defaults, and are checked whichever it was. */

const OPTIONS = { ...mirrorOptions(datasetHelp([imageRewardDb])), ...CONCURRENCY, ...NETWORK, ...QUEUE };

function read(flags: Record<string, unknown>, env: NodeJS.ProcessEnv) {
	return readOptions(OPTIONS, flags, env);
}

describe("flags and variables", () => {
	test("nothing given: the defaults, and no setting", () => {
		expect(read({}, {})).toEqual({
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
			queue_prefix: "irlake",
		});
	});

	test("a flag wins over its variable, a variable over the default, an empty variable is none", () => {
		const env = { IRLAKE_LAKE: "/v", IRLAKE_CONCURRENCY: "3", IRLAKE_MAX_REJECT_RATIO: "0.5", IRLAKE_SCRATCH: "" };
		const options = read({ lake: "/f" }, env);
		expect(options).toMatchObject({ lake: "/f", concurrency: 3, max_reject_ratio: 0.5 });
		expect(options.scratch).toBeUndefined();
	});

	test.each([
		["1", true],
		["true", true],
		["0", false],
		["false", false],
	])("IRLAKE_PRUNE=%s is %s", (text, value) => {
		expect(read({}, { IRLAKE_PRUNE: text }).prune).toBe(value);
	});

	test("a value that is not allowed is told with those that are, and with the one that may have been meant", () => {
		const { message, hint } = refusal(() => read({ image: "webp_lossless" }, {}));
		expect(message).toBe(
			'--image cannot be "webp_lossless": give passthrough, webp-lossless, webp, jpeg, png or avif.',
		);
		expect(hint).toBe("Did you mean webp-lossless? See irlake COMMAND --help.");
		expect(refusal(() => read({ concurrency: "0" }, {}))).toMatchObject({
			message: '--concurrency cannot be "0": give a whole number from 1 to 64.',
			hint: "See irlake COMMAND --help.",
		});
	});

	test("splits may be given one by one or with commas, as a flag and as a variable", () => {
		expect(read({ split: ["train", "test"] }, {}).split).toEqual(["train", "test"]);
		expect(read({ split: ["train,test"] }, {}).split).toEqual(["train", "test"]);
		expect(read({}, { IRLAKE_SPLIT: "validation,test" }).split).toEqual(["validation", "test"]);
	});

	test.each([
		[{ concurrency: "1.5" }, {}, "--concurrency"],
		[{ concurrency: "65" }, {}, "--concurrency"],
		[{ maxRejectRatio: "-0.1" }, {}, "--max-reject-ratio"],
		[{ maxRejectRatio: "1.01" }, {}, "--max-reject-ratio"],
		[{ quality: "0" }, {}, "--quality"],
		[{ maxSide: "16384" }, {}, "--max-side"],
		[{ lake: "" }, {}, "--lake"],
		[{}, { IRLAKE_PRUNE: "perhaps" }, "IRLAKE_PRUNE"],
		[{}, { IRLAKE_IMAGE: "gif" }, "IRLAKE_IMAGE"],
	])("%j %j is refused, and %s named", (flags, env, name) => {
		const { code, message } = refusal(() => read(flags, env));
		expect(code).toBe("USAGE");
		expect(message.startsWith(`${name} cannot be `)).toBe(true);
	});
});
