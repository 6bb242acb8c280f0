import { describe, expect, test } from "@jest/globals";
import { judgeRatio } from "../../../../../pipelines/mirror/check/reconcile.js";
import type { CheckedRows } from "../../../../../pipelines/mirror/check/verdict.js";
import type { ImageResult } from "../../../../../pipelines/ports/images.js";
import { LakeError } from "../../../../../schemas/errors.js";
import { DEFAULT_SETTINGS } from "../../../../../schemas/settings.js";
import type { SourceRow } from "../../../../support/tables.js";
import { badImage, check, fileName, goodImage, group, row } from "../../../../support/values.js";
import { Random } from "../../../../tools/sample/random.js";

const DROP_GROUP = { ...DEFAULT_SETTINGS, on_bad_image: "drop-group" } as const;
const REF = { kind: "file", path: "nowhere", bytes: 100 } as const;

/** Members with these verdicts; by default a good one for each image number. */
function images(results: Record<string, ImageResult>) {
	const members = Object.keys(results).map((name) => ({ name, ref: REF }));
	return { members, results: new Map(Object.entries(results)) };
}

function good(...numbers: number[]): Record<string, ImageResult> {
	return Object.fromEntries(numbers.map((number) => [fileName(number), goodImage(fileName(number))]));
}

/** [code, image path or member] of each finding. */
function found({ findings }: Settled): (string | null)[][] {
	return findings.map(({ code, image_path, member }) => [code, image_path ?? member]);
}

function paths({ good: rows }: Settled): string[] {
	return rows.map((one) => one.row.image_path);
}

const path = (number: number): string => row(number).image_path;

test("rows whose image is good are published, in the order of the JSON", () => {
	const settled = settle(check([row(3), row(1), row(2)]), images(good(1, 2, 3)), DEFAULT_SETTINGS);
	expect(paths(settled)).toEqual([path(3), path(1), path(2)]);
	expect(settled.findings).toEqual([]);
	expect(settled.counts).toMatchObject({ rows_in: 3, rows_published: 3, rows_rejected: 0, members_published: 3 });
});

test("a bad image rejects its row, with the size and hash of what was read", () => {
	const bad = badImage("IMAGE_TRUNCATED");
	const settled = settle(check([row(1), row(2)]), images({ ...good(1), [fileName(2)]: bad }), DEFAULT_SETTINGS);
	expect(paths(settled)).toEqual([path(1)]);
	expect(settled.findings).toEqual([
		expect.objectContaining({
			code: "IMAGE_TRUNCATED",
			severity: "reject",
			image_path: path(2),
			prompt_id: "p-2",
			member: fileName(2),
			row: JSON.stringify(row(2)),
			bytes: bad.bytes,
			sha256: bad.sha256,
		}),
	]);
	expect(settled.counts).toMatchObject({ rows_rejected: 1, members_rejected: 1, members_published: 1, orphans: 0 });
});

test("a row without a member is IMAGE_MISSING, and names no member", () => {
	const settled = settle(check([row(1), row(2)]), images(good(1)), DEFAULT_SETTINGS);
	expect(found(settled)).toEqual([["IMAGE_MISSING", path(2)]]);
	expect(settled.findings[0]).toMatchObject({ member: null, bytes: null, sha256: null });
	expect(settled.counts).toMatchObject({ rows_rejected: 1, members_in: 1, members_rejected: 0 });
});

test("a member that no row names is an orphan; one that only a rejected row names is rejected", () => {
	const rows = [row(1), { ...row(2), rank: "1" }, row(3, { image_path: `images/train/train_2/${fileName(3)}` })];
	const all = { ...good(1, 2, 3, 4), "notes.txt": { ...goodImage("notes"), image: null } };
	const settled = settle(check(rows, [row(1), row(2)]), images(all), DEFAULT_SETTINGS);
	expect(found(settled)).toEqual([
		["IMAGE_ORPHAN", fileName(4)],
		["IMAGE_ORPHAN", "notes.txt"],
		["ROW_PATH", `images/train/train_2/${fileName(3)}`],
		["ROW_SCHEMA", path(2)],
	]);
	expect(settled.counts).toMatchObject({
		members_in: 5,
		members_published: 1,
		members_rejected: 2,
		orphans: 2,
		rows_rejected: 2,
	});
});

test("of equal rows one is published, and its image is published once", () => {
	const settled = settle(check([row(1), row(1)]), images(good(1)), DEFAULT_SETTINGS);
	expect(settled.counts).toMatchObject({ rows_in: 2, rows_published: 1, rows_rejected: 1, members_published: 1 });
});

test("a row with several findings is one rejected row", () => {
	const rows = [{ ...row(1), image_path: "elsewhere.webp", rank: "1" }, row(2)];
	const settled = settle(check(rows, [row(2)]), images(good(2)), DEFAULT_SETTINGS);
	expect(settled.findings).toHaveLength(2);
	expect(settled.counts.rows_rejected).toBe(1);
});

test("an image has one code, on the first row that names it", () => {
	const rows = [row(1), row(1, { rank: 2 })];
	const settled = settle(check(rows), images({ [fileName(1)]: badImage("IMAGE_EMPTY") }), DEFAULT_SETTINGS);
	expect(found(settled).filter(([code]) => code === "IMAGE_EMPTY")).toHaveLength(1);
});

test("warnings of a published image stand beside it, sorted, and it stays", () => {
	const image = goodImage(fileName(1), ["IMAGE_TRAILING_BYTES", "IMAGE_NOT_LOSSLESS"]);
	const settled = settle(check([row(1, { fidelity_rating: 9 })]), images({ [fileName(1)]: image }), DEFAULT_SETTINGS);
	expect(settled.good[0]?.warnings).toEqual(["IMAGE_NOT_LOSSLESS", "IMAGE_TRAILING_BYTES", "RATING_RANGE"]);
	expect(settled.counts).toMatchObject({ rows_published: 1, rows_rejected: 0 });
});

test("findings are sorted by code, image path, prompt, member and place, nulls first", () => {
	const rows = [
		{ ...row(9), rank: "x" },
		5,
		null,
		{ ...row(2), rank: "x" },
		{ ...row(2), rank: "y" },
		{ prompt_id: "z" },
	];
	const { findings } = settle(check(rows, []), images(good(8, 7)), DEFAULT_SETTINGS);
	expect(
		findings.map(({ code, image_path, prompt_id, member, place }) => [code, image_path, prompt_id, member, place]),
	).toEqual([
		["IMAGE_ORPHAN", null, null, fileName(7), null],
		["IMAGE_ORPHAN", null, null, fileName(8), null],
		["ROW_SCHEMA", null, null, null, 1],
		["ROW_SCHEMA", null, null, null, 2],
		["ROW_SCHEMA", null, "z", null, 5],
		["ROW_SCHEMA", path(2), "p-2", null, 3],
		["ROW_SCHEMA", path(2), "p-2", null, 4],
		["ROW_SCHEMA", path(9), "p-9", null, 0],
	]);
});

describe("drop-group", () => {
	const rows = [...group("hit", 1, 3), ...group("whole", 11, 2)];
	const some = { ...good(1, 2, 3, 11, 12), [fileName(2)]: badImage("IMAGE_EMPTY") };

	test("drops the innocent rows of a hit prompt, and of no other", () => {
		const settled = settle(check(rows), images(some), DROP_GROUP);
		expect(paths(settled)).toEqual([path(11), path(12)]);
		expect(found(settled)).toEqual([
			["GROUP_DROPPED", path(1)],
			["GROUP_DROPPED", path(3)],
			["IMAGE_EMPTY", path(2)],
		]);
		expect(settled.counts).toMatchObject({ rows_rejected: 3, members_rejected: 3, rows_published: 2 });
	});

	test("dropped rows do not count towards the ratio", () => {
		expect(settle(check(rows), images(some), DROP_GROUP).defective).toBe(1);
	});

	test("drop-image keeps them", () => {
		expect(paths(settle(check(rows), images(some), DEFAULT_SETTINGS))).toEqual([1, 3, 11, 12].map(path));
	});

	test("a row that only repeats an equal one costs no group; rows that contradict each other do", () => {
		const [first, ...rest] = group("p", 1, 3);
		const repeated = settle(check([first, ...rest, first]), images(good(1, 2, 3)), DROP_GROUP);
		expect(repeated.counts).toMatchObject({ rows_published: 3, rows_rejected: 1 });
		const other = { ...(first as SourceRow), rank: 5 };
		const contradicted = settle(check([first, ...rest, other]), images(good(1, 2, 3)), DROP_GROUP);
		expect(contradicted.counts).toMatchObject({ rows_published: 0, rows_rejected: 4 });
	});

	test("a rejected row without a usable prompt_id drops nothing", () => {
		const settled = settle(
			check([{ ...row(1), prompt_id: "" }, row(2, { prompt_id: "p" })], [row(2, { prompt_id: "p" })]),
			images(good(1, 2)),
			DROP_GROUP,
		);
		expect(paths(settled)).toEqual([path(2)]);
	});
});

describe("judgeRatio", () => {
	test.each([
		[0, 0, 0],
		[1, 20, 0.05],
		[20, 20, 1],
	])("%i of %i rows is not over %f", (defective, rows, maximum) => {
		expect(judgeRatio("train_1", defective, rows, maximum)).toBeNull();
	});

	test("tells the shard, the numbers and the limit", () => {
		expect(judgeRatio("train_1", 2, 39, 0.05)).toMatchObject({
			code: "REJECT_RATIO_EXCEEDED",
			message: expect.stringMatching(/^train_1: 2 of 39 rows .*5\.13%.*5\.00%/),
		});
		expect(judgeRatio("train_1", 1, 20, 0)).toBeInstanceOf(LakeError);
	});
});

/** A shard of any condition: rows and members broken at random. */
function anyShard(random: Random): { checked: CheckedRows; all: Record<string, ImageResult> } {
	const rows: unknown[] = [];
	const metadata: SourceRow[] = [];
	const all: Record<string, ImageResult> = {};
	for (let number = 1; number <= random.int(1, 30); number++) {
		const one = row(number, { prompt_id: `p-${random.int(1, 6)}`, rank: random.int(1, 5) });
		const breakage = random.int(0, 9);
		if (breakage === 0) rows.push({ ...one, rank: "1" });
		else if (breakage === 1) rows.push({ ...one, image_path: fileName(number) });
		else if (breakage === 2) rows.push(one, one);
		else if (breakage === 3) rows.push(one, { ...one, rank: one.rank + 1 });
		else if (breakage === 4) rows.push({ ...one, prompt_id: "" });
		else if (breakage !== 5) rows.push(one);
		if (random.int(0, 9) > 0) metadata.push(one);
		const verdict = random.int(0, 9);
		if (verdict === 1) all[fileName(number)] = badImage("IMAGE_UNDECODABLE");
		else if (verdict > 1) all[fileName(number)] = goodImage(fileName(number));
	}
	if (rows.length === 0) rows.push(null);
	return { checked: check(rows, metadata), all };
}

test.each(["drop-image", "drop-group"] as const)("counts reconcile whatever is wrong, with %s", (mode) => {
	for (let seed = 1; seed <= 300; seed++) {
		const { checked, all } = anyShard(new Random(`settle/${seed}`));
		const settled = settle(checked, images(all), { ...DEFAULT_SETTINGS, on_bad_image: mode });
		const { counts, findings, good: published, defective } = settled;
		expect({ seed, rows: counts.rows_in }).toEqual({ seed, rows: counts.rows_published + counts.rows_rejected });
		expect({ seed, members: counts.members_in }).toEqual({
			seed,
			members: counts.members_published + counts.members_rejected + counts.orphans,
		});
		expect(counts).toMatchObject({ rows_in: checked.rows.length, members_in: Object.keys(all).length });
		const rejectedPlaces = findings.filter(({ severity, place }) => severity === "reject" && place !== null);
		expect(new Set(rejectedPlaces.map(({ place }) => place)).size).toBe(counts.rows_rejected);
		expect(findings.filter(({ code }) => code === "IMAGE_ORPHAN")).toHaveLength(counts.orphans);
		const dropped = findings.filter(({ code }) => code === "GROUP_DROPPED").length;
		expect(defective).toBe(counts.rows_rejected - dropped);
		expect(new Set(published.map(({ member }) => member)).size).toBe(published.length);
		for (const one of published) expect(all[one.member]?.reject).toBeNull();
	}
});
