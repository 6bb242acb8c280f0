import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import { memberTasks } from "../../../../../pipelines/mirror/check/check-images.js";
import { checkRows } from "../../../../../pipelines/mirror/check/check-rows.js";
import { judgeRatio, reconcile } from "../../../../../pipelines/mirror/check/reconcile.js";
import type { Verdict } from "../../../../../pipelines/mirror/check/verdict.js";
import { Selecting } from "../../../../../pipelines/mirror/plan/selection.js";
import type { ImageResult } from "../../../../../pipelines/ports/images.js";
import type { PlacedRow, Predicate } from "../../../../../pipelines/ports/tables.js";
import { DEFAULT_SETTINGS, type Settings } from "../../../../../schemas/settings.js";
import type { MetadataRow, SourceRow } from "../../../../support/tables.js";
import { badImage, fileName, goodImage, group, metadataOf, row } from "../../../../support/values.js";

/** What a predicate does not choose is counted and not judged; what the metadata cannot tell is judged as ever. */

const SELECTIVE: Settings = { ...DEFAULT_SETTINGS, where: "told by the test", where_mode: "image" };
const REF = { kind: "file", path: "nowhere", bytes: 77 } as const;

interface Given {
	rows: unknown[];
	/** Default: the good rows. */
	metadata?: MetadataRow[];
	/** Numbers of the images that the predicate chooses. */
	chosen: number[];
	/** Verdicts of members, good ones by default; members that are not read have none. */
	members: (number | string | [number, ImageResult])[];
	settings?: Settings;
}

/** Which members were read, and the verdict. */
function judge({ rows, metadata, chosen, members, settings = SELECTIVE }: Given): { read: string[]; verdict: Verdict } {
	const known = metadata ?? (rows as MetadataRow[]);
	const paths = new Set(chosen.map((number) => row(number).image_path));
	const checked = checkRows(
		rows.map((value) => ({ key: null, value })),
		imageRewardDb,
		"train_1",
		metadataOf(known, [], paths),
	);
	const verdicts = members.map((member): [string, ImageResult] => {
		if (Array.isArray(member)) return [fileName(member[0]), member[1]];
		const name = typeof member === "number" ? fileName(member) : member;
		return [name, goodImage(name)];
	});
	const all = verdicts.map(([name]) => ({ name, ref: REF }));
	const read = memberTasks(all, checked.rows, "webp", true).map(({ member }) => member.name);
	const results = new Map(verdicts.filter(([name]) => read.includes(name)));
	return { read, verdict: reconcile(checked, { members: all, results }, settings) };
}

function codes({ findings }: Verdict): string[] {
	return findings.map(({ code }) => code);
}

test("an unselected row is counted; its member is neither read nor missed; it is compared no further", () => {
	const rows = [row(1), row(2), row(3, { overall_rating: 9 }), row(4)];
	const metadata = [row(1), row(2, { rank: 3 }), row(3), row(4)];
	const { read, verdict } = judge({ rows, metadata, chosen: [1], members: [1, 2, 3] });
	expect(read).toEqual([fileName(1)]);
	expect(verdict.findings).toEqual([]);
	expect(verdict.counts).toEqual({
		rows_in: 4,
		rows_published: 1,
		rows_rejected: 0,
		rows_unselected: 3,
		members_in: 3,
		members_published: 1,
		members_rejected: 0,
		members_unselected: 2,
		orphans: 0,
	});
	expect(verdict.defective).toBe(0);
});

test("what the rows say by themselves is judged, chosen or not", () => {
	const other = `images/train/train_2/${fileName(3)}`;
	const rows = [
		row(1),
		{ ...row(2), rank: "1" },
		row(3, { image_path: other }),
		row(4),
		row(5),
		row(5),
		row(6),
		row(6, { rank: 2 }),
	];
	const metadata = [row(1), row(2), row(3), row(5), row(6)];
	const { read, verdict } = judge({ rows, metadata, chosen: [1], members: [1, 2, 3, 4, 5, 6] });
	expect(codes(verdict)).toEqual([
		"ROW_DUPLICATE",
		"ROW_DUPLICATE",
		"ROW_DUPLICATE",
		"ROW_NOT_IN_METADATA",
		"ROW_PATH",
		"ROW_SCHEMA",
	]);
	// Members that rejected rows name are read for the quarantine; the one that an unselected row names too is not.
	expect(read).toEqual([1, 2, 3, 4, 6].map(fileName));
	expect(verdict.counts).toEqual({
		rows_in: 8,
		rows_published: 1,
		rows_rejected: 6,
		rows_unselected: 1,
		members_in: 6,
		members_published: 1,
		members_rejected: 4,
		members_unselected: 1,
		orphans: 0,
	});
	// A repeated row of an image that was not read: the member is there.
	const repeated = verdict.findings.find(({ image_path }) => image_path === row(5).image_path);
	expect(repeated).toMatchObject({ member: fileName(5), bytes: null, sha256: null });
});

test("an orphan is told with the directory's size, and not read", () => {
	const { read, verdict } = judge({ rows: [row(1)], chosen: [1], members: [1, 2, "notes.txt"] });
	expect(read).toEqual([fileName(1)]);
	expect(verdict.findings).toMatchObject([
		{ code: "IMAGE_ORPHAN", member: fileName(2), bytes: 77, sha256: null },
		{ code: "IMAGE_ORPHAN", member: "notes.txt", bytes: 77, sha256: null },
	]);
	expect(verdict.counts).toMatchObject({ members_in: 3, members_published: 1, orphans: 2, members_unselected: 0 });
});

test("rows that only the metadata has are told where they are chosen", () => {
	const { verdict } = judge({ rows: [row(1)], metadata: [row(1), row(2), row(3)], chosen: [1, 2], members: [1] });
	expect(verdict.findings).toMatchObject([{ code: "METADATA_EXTRA_ROW", image_path: row(2).image_path }]);
});

test("a prompt's count and its conflicts concern all its rows, of prompts of which something is chosen", () => {
	const short = group("p-short", 1, 3).slice(0, 2);
	const conflict = group("p-conflict", 10, 2).map((one, at) => ({ ...one, prompt: `text ${at}` }));
	const unchosen = group("p-unchosen", 20, 3).slice(0, 2);
	const rows: SourceRow[] = [...short, ...conflict, ...unchosen];
	const { verdict } = judge({ rows, chosen: [2, 11], members: rows.map((_, at) => `m${at}`) });
	const about = verdict.findings.filter(({ code }) => ["GROUP_COUNT", "PROMPT_CONFLICT"].includes(code));
	expect(about.map(({ code, group: name }) => [code, name])).toEqual([
		["GROUP_COUNT", "p-short"],
		["PROMPT_CONFLICT", "p-conflict"],
	]);
});

test("drop-group drops the chosen rows of a prompt, and leaves the others unselected", () => {
	const rows = group("p", 1, 3);
	const settings: Settings = { ...SELECTIVE, on_bad_image: "drop-group" };
	const { verdict } = judge({ rows, chosen: [1, 2], members: [1, [2, badImage("IMAGE_EMPTY")], 3], settings });
	expect(codes(verdict)).toEqual(["GROUP_DROPPED", "IMAGE_EMPTY"]);
	expect(verdict.counts).toMatchObject({ rows_published: 0, rows_rejected: 2, rows_unselected: 1 });
});

test("the ratio is of all rows, so that few chosen ones do not make it coarse", () => {
	const rows = Array.from({ length: 50 }, (_, at) => row(at + 1));
	const { verdict } = judge({ rows, chosen: [1, 2], members: [1, [2, badImage("IMAGE_EMPTY")]] });
	const { defective, counts } = verdict;
	expect([defective, counts.rows_in]).toEqual([1, 50]);
	expect(judgeRatio("train_1", defective, counts.rows_in, 0.05)).toBeNull();
	expect(judgeRatio("train_1", defective, counts.rows_in, 0.01)?.message).toContain("1 of 50 rows");
});

describe("which images of a shard are chosen", () => {
	const rankOne: Predicate = {
		selects: async (rows) => rows.map(({ row: { rank } }) => rank === 1),
		close: async () => {},
	};
	const placed = (one: MetadataRow, shard = 1): PlacedRow & { path: string } => {
		return { row: one, split: "train", shard, path: String(one.image_path) };
	};

	async function chosen(mode: Settings["where_mode"], ...rows: ReturnType<typeof placed>[]) {
		const selecting = new Selecting(rankOne, mode, "prompt_id");
		for (const one of rows) await selecting.add([one]);
		const { images, chosen: paths } = selecting.of("train_1");
		return {
			images,
			numbers: [...paths].map((path) => [1, 2, 3, 4].find((number) => row(number).image_path === path)),
		};
	}

	const rows = [
		placed(row(1, { prompt_id: "p" })),
		placed(row(2, { prompt_id: "p", rank: 2 })),
		placed(row(3, { rank: 2 })),
	];

	test("by image: those of which it is true", async () => {
		expect(await chosen("image", ...rows)).toEqual({ images: 3, numbers: [1] });
	});

	test("by prompt: all of a prompt of which it is true once", async () => {
		expect(await chosen("prompt", ...rows)).toEqual({ images: 3, numbers: [1, 2] });
		expect(await chosen("prompt", ...rows.toReversed())).toEqual({ images: 3, numbers: [2, 1] });
	});

	test("by prompt, the shard's own rows decide", async () => {
		const elsewhere = placed(row(4, { prompt_id: "q" }), 2);
		const here = placed(row(3, { prompt_id: "q", rank: 2 }));
		expect(await chosen("prompt", elsewhere, here)).toEqual({ images: 1, numbers: [] });
	});

	test("of rows that contradict each other about an image, one is enough", async () => {
		expect(await chosen("image", placed(row(1, { rank: 2 })), placed(row(1)))).toEqual({ images: 1, numbers: [1] });
	});
});
