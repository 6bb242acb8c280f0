import { describe, expect, test } from "@jest/globals";
import { type Work, workId } from "../../../../../pipelines/mirror/plan/work-id.js";
import { DEFAULT_SETTINGS } from "../../../../../schemas/settings.js";
import { hex, zipInput } from "../../../../support/values.js";

/** A work id depends on all that a shard's output depends on, and on nothing else. */

describe("the work id", () => {
	const work = {
		dataset: "imagereward-db",
		shard: "train_1",
		input: zipInput("train_1", hex("zip")),
		metadataRowsSha256: hex("rows"),
		settings: DEFAULT_SETTINGS,
	};
	const id = workId(work);

	test("does not depend on where the zip lies", () => {
		const file = { path: "elsewhere.zip", bytes: 7, sha256: null, gitOid: "1" };
		expect(workId({ ...work, input: { form: "zip", file, sha256: hex("zip"), bytes: 7 } })).toBe(id);
	});

	const others: [string, Partial<Work>][] = [
		["dataset", { dataset: "diffusiondb" }],
		["shard", { shard: "train_2" }],
		["zip", { input: zipInput("train_1", hex("other")) }],
		["form", { input: { form: "unpacked", files: [], json: null, sha256: hex("zip"), bytes: 1 } }],
		["metadata rows", { metadataRowsSha256: hex("other") }],
		["image", { settings: { ...DEFAULT_SETTINGS, image: "png" } }],
		["quality", { settings: { ...DEFAULT_SETTINGS, quality: 80 } }],
		["max_side", { settings: { ...DEFAULT_SETTINGS, max_side: 80 } }],
		["verify", { settings: { ...DEFAULT_SETTINGS, verify: "structure" } }],
		["on_bad_image", { settings: { ...DEFAULT_SETTINGS, on_bad_image: "drop-group" } }],
		["where", { settings: { ...DEFAULT_SETTINGS, where: "rank = 1" } }],
		["codec", { settings: { ...DEFAULT_SETTINGS, codec: "one 2" } }],
	];

	test.each(others)("depends on %s", (_, other) => {
		expect(workId({ ...work, ...other })).not.toBe(id);
	});
});
