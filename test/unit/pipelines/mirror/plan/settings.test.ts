import { describe, expect, test } from "@jest/globals";
import { chooseSettings } from "../../../../../pipelines/mirror/plan/settings.js";
import { DEFAULT_SETTINGS, type RequestedSettings, type Settings } from "../../../../../schemas/settings.js";

const CODEC = "sharp 1.0";

/** A lake of lossy pictures. */
const LOSSY: Settings = { ...DEFAULT_SETTINGS, image: "jpeg", quality: 70, max_side: 256, codec: CODEC };

function choose(asked: RequestedSettings, lake: Settings | null = null, newSettings = false, codec = CODEC): Settings {
	return chooseSettings(asked, lake, codec, newSettings);
}

describe("a new lake", () => {
	test("has the defaults: original bytes, decoded whole, a bad image dropped alone", () => {
		expect(choose({})).toEqual({
			image: "passthrough",
			quality: null,
			max_side: null,
			verify: "decode",
			on_bad_image: "drop-image",
			where: null,
			codec: null,
		});
	});

	test.each(["webp", "jpeg", "avif"] as const)("of %s has quality 90 and the codec's version", (image) => {
		expect(choose({ image })).toMatchObject({ image, quality: 90, max_side: null, codec: CODEC });
		expect(choose({ image, quality: 40, max_side: 512 })).toMatchObject({ quality: 40, max_side: 512 });
	});

	test.each(["png", "webp-lossless"] as const)("of %s has no quality", (image) => {
		expect(choose({ image, max_side: 100 })).toMatchObject({ quality: null, max_side: 100, codec: CODEC });
	});
});

describe("what means nothing is wrong usage, on a new lake and on one that has other settings", () => {
	const wrong: [RequestedSettings, Settings | null][] = [
		[{ quality: 80 }, null],
		[{ quality: 80 }, DEFAULT_SETTINGS],
		[{ image: "png", quality: 80 }, LOSSY],
		[{ image: "webp-lossless", quality: 80 }, null],
		[{ max_side: 80 }, null],
		[{ image: "passthrough", max_side: 80 }, LOSSY],
	];
	test.each(wrong)("%j", (asked, lake) => {
		for (const newSettings of [false, true]) {
			expect(() => choose(asked, lake, newSettings)).toThrow(expect.objectContaining({ code: "USAGE", exit: 2 }));
		}
	});
});

describe("a lake's own settings", () => {
	test("are taken where none is given", () => {
		expect(choose({}, LOSSY)).toEqual(LOSSY);
		expect(choose({}, LOSSY, true)).toEqual(LOSSY);
	});

	test("may be given again", () => {
		expect(choose({ image: "jpeg", quality: 70, max_side: 256, verify: "decode" }, LOSSY)).toEqual(LOSSY);
	});

	const different: [keyof Settings, RequestedSettings][] = [
		["image", { image: "png" }],
		["quality", { quality: 71 }],
		["max_side", { max_side: 255 }],
		["verify", { verify: "structure" }],
		["on_bad_image", { on_bad_image: "drop-group" }],
	];

	test.each(different)("that are not the same end with 2, naming %s", (key, asked) => {
		expect(() => choose(asked, LOSSY)).toThrow(
			expect.objectContaining({ code: "SETTINGS_DIFFER", exit: 2, message: expect.stringContaining(`${key} `) }),
		);
	});

	test.each(different)("change with --new-settings: %s", (key, asked) => {
		expect(choose(asked, LOSSY, true)[key]).toBe(asked[key as keyof RequestedSettings]);
	});
});

describe("new settings", () => {
	test("of another format do not inherit quality and size, which were meant for the old one", () => {
		expect(choose({ image: "webp" }, LOSSY, true)).toMatchObject({ quality: 90, max_side: null });
		expect(choose({ image: "passthrough" }, LOSSY, true)).toEqual(DEFAULT_SETTINGS);
	});

	test("keep what is not given", () => {
		const asked = choose({ quality: 50 }, { ...LOSSY, verify: "structure", on_bad_image: "drop-group" }, true);
		expect(asked).toEqual({ ...LOSSY, quality: 50, verify: "structure", on_bad_image: "drop-group" });
	});
});

describe("another codec than the lake's", () => {
	test("is no other setting by itself: the lake goes on with its own", () => {
		expect(choose({}, LOSSY, false, "sharp 2.0")).toEqual(LOSSY);
	});

	test("is taken with --new-settings", () => {
		expect(choose({}, LOSSY, true, "sharp 2.0")).toEqual({ ...LOSSY, codec: "sharp 2.0" });
	});
});

describe("a predicate", () => {
	const LAKE: Settings = { ...DEFAULT_SETTINGS, where: "rank = 1", where_mode: "prompt" };

	test("has a mode, which stands beside it only", () => {
		expect(choose({ where: "rank = 1" })).toMatchObject({ where: "rank = 1", where_mode: "image" });
		expect(choose({ where: "rank = 1", where_mode: "prompt" })).toEqual(LAKE);
		expect("where_mode" in choose({ where: "" })).toBe(false);
	});

	test("not given is the lake's own, mode included", () => {
		expect(choose({}, LAKE)).toEqual(LAKE);
		expect(choose({ where: "rank = 1" }, LAKE)).toEqual(LAKE);
	});

	test.each<RequestedSettings>([{ where: "rank = 2" }, { where: "" }, { where_mode: "image" }])(
		"%j differs from the lake's, and must be meant",
		(asked) => {
			expect(() => choose(asked, LAKE)).toThrow(expect.objectContaining({ code: "SETTINGS_DIFFER", exit: 2 }));
			expect(choose(asked, LAKE, true).where).toBe(asked.where === undefined ? "rank = 1" : asked.where || null);
		},
	);

	test("of one's own on a lake without any must be meant", () => {
		expect(() => choose({ where: "rank = 1" }, DEFAULT_SETTINGS)).toThrow("where rank = 1, the lake has none");
	});

	test("another one has the default mode again", () => {
		expect(choose({ where: "rank = 2" }, LAKE, true).where_mode).toBe("image");
	});

	test("that is none has no mode", () => {
		const wrong: [RequestedSettings, Settings | null][] = [
			[{ where_mode: "prompt" }, null],
			[{ where: "", where_mode: "image" }, LAKE],
		];
		for (const [asked, lake] of wrong) {
			expect(() => choose(asked, lake, true)).toThrow(expect.objectContaining({ code: "USAGE" }));
		}
	});
});
