import { describe, expect, test } from "@jest/globals";
import { KINDS, kindOf } from "../../../../pipelines/lake/kinds.js";
import { rejectedFile } from "../../../../pipelines/lake/paths.js";
import type { LakeFile } from "../../../../pipelines/ports/store.js";
import { goingFiles, goingReceipts, type Holdings, markable, sweepable } from "../../../../pipelines/vacuum/decide.js";
import { oldestKept } from "../../../../pipelines/vacuum/retention.js";
import { hex } from "../../../support/values.js";

/** What vacuum decides, from plain data. */

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const NOW = 1000 * DAY;
const POLICY = { keep: 2, keepYounger: 0, grace: DAY };

const receiptOf = (name: string): string => `receipts/test/test_1/${hex(name)}.json`;
const tableOf = (name: string): string => `tables/images/split=test/shard=1/${hex(name).slice(0, 16)}.parquet`;
const objectOf = (name: string): string => `objects/sha256/${hex(name).slice(0, 2)}/${hex(name)}.webp`;

/** A file that was written so many hours ago. */
function file(path: string, hours = 1000): LakeFile {
	return { path, bytes: 10, modified: NOW - hours * HOUR };
}

function lake(files: LakeFile[], values: Partial<Holdings> = {}): Holdings {
	const of = (kind: string): LakeFile[] => files.filter(({ path }) => kindOf(path) === kind);
	return {
		files: {
			receipts: of("receipts"),
			table_files: of("table_files"),
			objects: of("objects"),
			rejected: of("rejected"),
		},
		named: new Set(),
		published: new Set(),
		...values,
	};
}

const pathsOf = (files: LakeFile[]): string[] => files.map(({ path }) => path);

describe("which snapshots stay", () => {
	const ages = (...days: number[]) => new Map(days.map((day, at) => [at + 1, NOW - day * DAY]));

	test("so many of the newest", () => {
		expect(oldestKept(5, ages(9, 8, 7, 6, 5), POLICY, NOW)).toBe(4);
		expect(oldestKept(5, ages(9, 8, 7, 6, 5), { ...POLICY, keep: 9 }, NOW)).toBe(1);
		expect(oldestKept(1, ages(9), POLICY, NOW)).toBe(1);
	});

	test("and the young ones, with all that come after them", () => {
		expect(oldestKept(5, ages(9, 8, 7, 6, 5), { ...POLICY, keepYounger: 7.5 * DAY }, NOW)).toBe(3);
		expect(oldestKept(5, ages(9, 1, 7, 6, 5), { ...POLICY, keepYounger: 2 * DAY }, NOW)).toBe(2);
		expect(oldestKept(5, ages(9, 8, 7, 6, 5), { ...POLICY, keepYounger: DAY }, NOW)).toBe(4);
	});
});

describe("what may be marked", () => {
	const none = new Set<string>();

	test("what an older snapshot named, however young", () => {
		const may = markable({ published: new Set([receiptOf("a"), tableOf("a")]) }, none, POLICY, NOW);
		expect(may(file(receiptOf("a"), 0), "receipts")).toBe(true);
		expect(may(file(tableOf("a"), 0), "table_files")).toBe(true);
	});

	test("what no snapshot ever named, from the grace time on; a receipt from seven of them on", () => {
		const may = markable({ published: none }, none, POLICY, NOW);
		expect(may(file(objectOf("a"), 23), "objects")).toBe(false);
		expect(may(file(objectOf("a"), 24), "objects")).toBe(true);
		expect(may(file(tableOf("a"), 24), "table_files")).toBe(true);
		expect(may(file(receiptOf("a"), 6 * 24), "receipts")).toBe(false);
		expect(may(file(receiptOf("a"), 7 * 24), "receipts")).toBe(true);
	});

	test("not what is marked already", () => {
		const may = markable({ published: none }, new Set([objectOf("a")]), POLICY, NOW);
		expect(may(file(objectOf("a")), "objects")).toBe(false);
	});
});

describe("what may be swept", () => {
	test("what was marked, and not written again at the time of its mark or later", () => {
		const may = sweepable(new Set([objectOf("a")]), NOW - 2 * HOUR);
		expect(may(file(objectOf("a"), 3), "objects")).toBe(true);
		expect(may(file(objectOf("a"), 2), "objects")).toBe(false);
		expect(may(file(objectOf("a"), 1), "objects")).toBe(false);
		expect(may(file(objectOf("b"), 3), "objects")).toBe(false);
	});
});

describe("what goes", () => {
	const always = () => true;

	test("receipts that no kept snapshot names", () => {
		const holdings = lake([file(receiptOf("a")), file(receiptOf("b"))], { named: new Set([receiptOf("b")]) });
		expect(pathsOf(goingReceipts(holdings, always))).toEqual([receiptOf("a")]);
		expect(goingReceipts(holdings, () => false)).toEqual([]);
	});

	test("receipts first, then what nothing needs, kind after kind", () => {
		const holdings = lake([
			file(objectOf("a")),
			file(objectOf("b")),
			file(rejectedFile.path(hex("a"))),
			file(tableOf("a")),
			file(tableOf("b")),
			file(receiptOf("a")),
		]);
		const needed = new Set([tableOf("b"), objectOf("b")]);
		const going = goingFiles(holdings, goingReceipts(holdings, always), needed, always);
		expect(pathsOf(going)).toEqual([receiptOf("a"), tableOf("a"), objectOf("a"), rejectedFile.path(hex("a"))]);
	});

	test("only files with the lake's own names are known", () => {
		expect(KINDS.map((kind) => lake([]).files[kind])).toEqual([[], [], [], []]);
		for (const path of [
			"latest.json",
			"snapshots/000001-0123456789ab.json",
			"tables/images/_delta_log/00000000000000000000.json",
			"tables/images/split=test/shard=1/mine.parquet",
			"objects/sha256/aa/notes.txt",
			"receipts/test/test_1/x.json",
			`${objectOf("a")}.tmp`,
			".irlake/lake.json",
		])
			expect([path, kindOf(path)]).toEqual([path, null]);
	});
});
