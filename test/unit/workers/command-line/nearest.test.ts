import { expect, test } from "@jest/globals";
import { didYouMean, nearest, orList } from "../../../../workers/command-line/nearest.js";

/** What was mistyped is answered with the nearest of the known words, and with none where none is near. */

const MODES = ["passthrough", "webp-lossless", "webp", "jpeg", "png", "avif"];

test.each([
	["webp_lossless", "webp-lossless"],
	["JPEG", "jpeg"],
	["jpg", "jpeg"],
	["pasthrough", "passthrough"],
	["gif", null],
	["x", null],
	["", null],
])("%j is taken for %j", (text, meant) => {
	expect(nearest(text, MODES)).toBe(meant);
});

test("the question is whole, or absent", () => {
	expect(didYouMean("wepb", MODES)).toBe("Did you mean webp? ");
	expect(didYouMean("tiff", ["hf"])).toBe("");
	expect([orList([]), orList(["a"]), orList(["a", "b"]), orList(["a", "b", "c"])]).toEqual([
		"",
		"a",
		"a or b",
		"a, b or c",
	]);
});
