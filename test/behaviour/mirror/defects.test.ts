import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { FINDINGS, type FindingCode } from "../../../schemas/codes.js";
import { lakeFiles, latestSnapshot } from "../../support/lake.js";
import { type Mirrored, mirror, type Row, receiptsOf, rowsOf, verify } from "../../support/mirror-run.js";
import { recompute, requireOrSkip } from "../../support/python.js";
import { tempDir } from "../../support/root.js";
import { makeSample, type Planted } from "../../tools/sample/make.js";

/** One of every row, image and warn code is planted; a mirror finds exactly these, and loses nothing else. */

const SHARDS = ["train_1", "validation_2"];
const ALL = ["--shards", SHARDS.join(",")];
const LONG = 300_000;

let temp: ReturnType<typeof tempDir>;
let source: string;
let lake: string;
let planted: Planted;
let run: Mirrored;

beforeAll(async () => {
	temp = tempDir("defects");
	[source, lake] = [join(temp.path, "source"), join(temp.path, "lake")];
	planted = await makeSample(source, { shards: SHARDS, defects: true, size: 64 });
	run = await mirror({ folder: source }, lake, ALL);
}, LONG);
afterAll(() => temp.remove());

/** What a quarantine row is about, as one text. */
function subject(row: {
	code: unknown;
	shard: unknown;
	image_path: unknown;
	prompt_id: unknown;
	member: unknown;
}): string {
	const { code, shard, image_path, prompt_id, member } = row;
	return JSON.stringify([code, shard, image_path, prompt_id, member]);
}

/** Contradicting rows are two findings of one defect. */
function expectedSubjects(): string[] {
	return planted.planted.flatMap((one) =>
		one.variant === "contradicting" ? [subject(one), subject(one)] : [subject(one)],
	);
}

function objectsIn(folder: string): string[] {
	return lakeFiles(folder).filter((path) => path.startsWith("objects/"));
}

/** Every object that the table names, once, sorted. */
function keys(images: Row[]): string[] {
	return [...new Set(images.map(({ object_key }) => String(object_key)))].sort();
}

/** Every receipt's counts, and the snapshot's, in which they are summed. */
function expectReconciled(folder: string): void {
	const { counts, shards } = latestSnapshot(folder);
	const receipts = Object.values(receiptsOf(folder));
	for (const one of [counts, ...receipts.map((receipt) => receipt.counts)]) {
		expect(one.rows_in).toBe(one.rows_published + one.rows_rejected);
		expect(one.members_in).toBe(one.members_published + one.members_rejected + one.orphans);
	}
	for (const key of Object.keys(receipts[0]?.counts ?? {}) as (keyof (typeof receipts)[0]["counts"])[]) {
		expect([key, counts[key]]).toEqual([key, receipts.reduce((sum, receipt) => sum + (receipt.counts[key] ?? 0), 0)]);
	}
	expect(counts.shards).toBe(shards.length);
}

/** What no file of this dataset can have by itself: a follow-up of other findings, and what only a PNG can have. */
const NEVER_PLANTED = ["GROUP_DROPPED", "IMAGE_NOT_PNG"];

test("every code of a row, an image and a warning is planted", () => {
	const codes = Object.entries(FINDINGS).filter(([code, { level }]) => {
		return (level === "row" || level === "image" || level === "warn") && !NEVER_PLANTED.includes(code);
	});
	expect(new Set(planted.planted.map(({ code }) => code))).toEqual(new Set(codes.map(([code]) => code)));
});

test("the mirror is published, and its findings are those planted", () => {
	expect(run).toMatchObject({ code: 0, document: { state: "published", findings: planted.findings, error: null } });
});

test.each(SHARDS)("the receipt of %s has the findings and counts that were planted there, and no others", (shard) => {
	const receipt = receiptsOf(lake)[shard];
	expect(receipt?.findings).toEqual(planted.shards[shard]?.findings);
	expect(receipt?.counts).toMatchObject({ ...planted.shards[shard]?.counts });
});

test("counts reconcile in every receipt and in the snapshot", () => {
	expectReconciled(lake);
	expect(run.document.counts).toEqual(latestSnapshot(lake).counts);
});

test("the quarantine names the very image, prompt and member of each, and nothing else", async () => {
	const rows = await rowsOf(lake, "quarantine");
	const subjects = rows.map((row) => subject(row as Parameters<typeof subject>[0]));
	expect(subjects.sort()).toEqual(expectedSubjects().sort());
});

test("each row of the quarantine has its severity, a reason, and the offending row as JSON", async () => {
	for (const row of await rowsOf(lake, "quarantine")) {
		const code = row.code as FindingCode;
		expect(row).toMatchObject({ severity: FINDINGS[code].severity, detail: expect.stringMatching(/\S/) });
		const { level } = FINDINGS[code];
		const ofRow = level === "row" || level === "image" || row.row !== null;
		if (ofRow) expect(JSON.parse(String(row.row))).toMatchObject({ image_path: row.image_path });
		if (row.member !== null && code !== "MEMBER_UNREADABLE") {
			expect(row).toMatchObject({
				bytes: expect.stringMatching(/^\d+$/),
				sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
			});
		}
	}
});

test("images carry the warnings that are about them alone", async () => {
	const own = planted.planted.filter(({ code }) =>
		["IMAGE_NOT_LOSSLESS", "IMAGE_TRAILING_BYTES", "RATING_RANGE"].includes(code),
	);
	const warned = (await rowsOf(lake, "images")).filter(({ warnings }) => JSON.stringify(warnings) !== "[]");
	const told = warned.map(({ image_path, warnings }) => [image_path, warnings]).sort();
	expect(told).toEqual(own.map(({ image_path, code }) => [image_path, [code]]).sort());
});

test("the objects are exactly those that images name", async () => {
	expect(objectsIn(lake)).toEqual(keys(await rowsOf(lake, "images")));
});

test(
	"verify --deep finds nothing wrong with it",
	async () => {
		expect(await verify(lake, "--deep")).toEqual({ code: 0, problems: [] });
	},
	LONG,
);

describe("with --on-bad-image drop-group", () => {
	let dropped: string;
	let other: Mirrored;

	beforeAll(async () => {
		dropped = join(temp.path, "dropped");
		other = await mirror({ folder: source }, dropped, [...ALL, "--on-bad-image", "drop-group"]);
	}, LONG);

	/** Prompts of rejected rows; one that is only repeated costs no group. */
	function hitPrompts(): Set<string | null> {
		const hit = planted.planted.filter(
			({ code, variant }) => FINDINGS[code].severity === "reject" && variant !== "equal",
		);
		return new Set(hit.map(({ prompt_id }) => prompt_id));
	}

	test("the innocent rows of the hit prompts, and only these, are GROUP_DROPPED", async () => {
		const innocent = (await rowsOf(lake, "images")).filter(({ prompt_id }) => hitPrompts().has(String(prompt_id)));
		const rows = (await rowsOf(dropped, "quarantine")).filter(({ code }) => code === "GROUP_DROPPED");
		expect(innocent.length).toBeGreaterThan(50);
		expect(rows.map(({ image_path }) => image_path).sort()).toEqual(
			innocent.map(({ image_path }) => image_path).sort(),
		);
		expect(other.document.findings).toEqual({ ...planted.findings, GROUP_DROPPED: innocent.length });
	});

	test("the images that stay are those of the other prompts", async () => {
		const kept = (await rowsOf(lake, "images")).filter(({ prompt_id }) => !hitPrompts().has(String(prompt_id)));
		expect(await rowsOf(dropped, "images")).toEqual(kept);
		expect(objectsIn(dropped)).toEqual(keys(kept));
	});

	test("they are published though over a twentieth of the rows is gone: dropped rows do not count", () => {
		expect(other).toMatchObject({ code: 0, document: { state: "published" } });
		const { rows_rejected = 0, rows_in = 0 } = other.document.counts ?? {};
		expect(rows_rejected / rows_in).toBeGreaterThan(0.05);
	});

	test("counts reconcile", () => expectReconciled(dropped));
});

const describePython = await requireOrSkip();
describePython("recomputed by other people's tools", () => {
	test(
		"no cell of what is left differs",
		async () => {
			expect(await recompute(source, lake, ["--skip-rejected"])).toMatchObject({ different: 0, examples: [] });
		},
		LONG,
	);
});
