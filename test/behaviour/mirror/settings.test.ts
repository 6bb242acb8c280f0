import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openTableFiles } from "../../../infra/adapters/duckdb/table-files.js";
import { Lab } from "../../support/lab.js";
import { digestOf, latestSnapshot } from "../../support/lake.js";

/** Settings belong to the lake: they are kept, guarded, and stand in what was made under them. */

const SAMPLE = { shards: ["test_1", "test_2"], images: 4, size: 130 };
const COLUMNS = [
	"object_key",
	"sha256",
	"source_sha256",
	"format",
	"width",
	"height",
	"source_width",
	"source_height",
	"pixel_sha256",
	"dhash",
];

let lab: Lab;
beforeAll(async () => {
	lab = await Lab.open("settings", SAMPLE);
	expect(await lab.mirror("plain")).toMatchObject({ state: "published" });
}, 120_000);
afterAll(() => lab.close());

/** Rows of the newest snapshot's `images`. */
async function images(lake: string): Promise<Record<string, unknown>[]> {
	const tables = await openTableFiles({ spill: lab.path("spill") });
	const rows: Record<string, unknown>[] = [];
	try {
		for (const { path } of latestSnapshot(lab.path(lake)).tables.images.files) {
			for await (const batch of tables.read(`${lab.path(lake)}/${path}`, COLUMNS)) rows.push(...batch);
		}
	} finally {
		await tables.close();
	}
	return rows;
}

async function audit(lake: string, ...more: string[]): Promise<unknown> {
	return JSON.parse((await lab.run(["verify", "--lake", lab.path(lake), "--json", ...more])).stdout);
}

describe.each([
	{ mode: "webp", format: "webp", ending: "webp", more: ["--quality", "80", "--max-side", "100"], side: 100 },
	{ mode: "jpeg", format: "jpeg", ending: "jpg", more: [], side: 130 },
	{ mode: "png", format: "png", ending: "png", more: ["--max-side", "64"], side: 64 },
	{ mode: "avif", format: "avif", ending: "avif", more: ["--quality", "50", "--max-side", "96"], side: 96 },
	{ mode: "webp-lossless", format: "webp", ending: "webp", more: [], side: 130 },
])("--image $mode $more", ({ mode, format, ending, more, side }) => {
	const flags = ["--shards", "test_1", "--image", mode, ...more];

	test("stores that format, tells both sizes, keeps the original's hashes, and gives the same bytes again", async () => {
		expect(await lab.mirror(mode, ...flags)).toMatchObject({ state: "published", exit_code: 0 });
		const rows = await images(mode);
		const plain = (await images("plain")).slice(0, rows.length);
		expect(rows).toHaveLength(SAMPLE.images);
		for (const [at, row] of rows.entries()) {
			expect(row).toMatchObject({ format, width: side, height: side, source_width: 130, source_height: 130 });
			expect(row.object_key).toBe(`objects/sha256/${String(row.sha256).slice(0, 2)}/${row.sha256}.${ending}`);
			const { source_sha256, pixel_sha256, dhash } = plain[at] ?? {};
			expect(row).toMatchObject({ source_sha256, pixel_sha256, dhash });
		}
		expect(await audit(mode, "--deep")).toMatchObject({ ok: true, problems: [], checked: { decoded: SAMPLE.images } });
		await lab.mirror(`${mode}-again`, ...flags);
		expect(digestOf(lab.path(`${mode}-again`))).toBe(digestOf(lab.path(mode)));
	}, 60_000);
});

test("--verify structure leaves pixel_sha256 and dhash null", async () => {
	expect(await lab.mirror("structure", "--verify", "structure")).toMatchObject({ state: "published" });
	const rows = await images("structure");
	expect(rows.map(({ pixel_sha256, dhash }) => [pixel_sha256, dhash])).toEqual(Array(8).fill([null, null]));
	expect(await audit("structure", "--deep")).toMatchObject({ ok: true, checked: { decoded: 8 } });
}, 60_000);

describe("a lake's own settings", () => {
	const JPEG = ["--image", "jpeg", "--quality", "70", "--max-side", "100", "--on-bad-image", "drop-group"];

	beforeAll(async () => {
		expect(await lab.mirror("own", "--shards", "test_1", ...JPEG)).toMatchObject({ state: "published" });
	}, 60_000);

	test("hold where none is given", async () => {
		expect(await lab.mirror("own", "--shards", "test_1")).toMatchObject({ state: "up_to_date" });
		expect(await lab.mirror("own")).toMatchObject({ state: "published", number: 2 });
		expect(latestSnapshot(lab.path("own")).settings).toMatchObject({
			image: "jpeg",
			quality: 70,
			max_side: 100,
			on_bad_image: "drop-group",
		});
		expect((await images("own")).every(({ format, width }) => format === "jpeg" && width === 100)).toBe(true);
	}, 60_000);

	test.each([
		["--image", "png"],
		["--quality", "71"],
		["--max-side", "99"],
		["--verify", "structure"],
		["--on-bad-image", "drop-image"],
	])(
		"refuse %s %s, and nothing changes",
		async (flag, value) => {
			const digest = digestOf(lab.path("own"));
			expect(await lab.mirror("own", flag, value)).toMatchObject({ exit_code: 2, error: { code: "SETTINGS_DIFFER" } });
			expect(digestOf(lab.path("own"))).toBe(digest);
		},
		60_000,
	);

	test("change with --new-settings, for every published shard or none", async () => {
		const part = await lab.mirror("own", "--shards", "test_1", "--image", "png", "--new-settings");
		expect(part).toMatchObject({ exit_code: 2, error: { code: "SETTINGS_DIFFER" } });
		expect(part.error?.message).toContain("test_2");
		const whole = await lab.mirror("own", "--image", "png", "--max-side", "50", "--new-settings");
		expect(whole).toMatchObject({ state: "published", number: 3, exit_code: 0 });
		expect((await images("own")).every(({ format, width }) => format === "png" && width === 50)).toBe(true);
		expect(await audit("own")).toMatchObject({ ok: true });
	}, 60_000);
});
