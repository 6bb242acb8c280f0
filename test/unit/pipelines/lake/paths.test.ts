import { describe, expect, test } from "@jest/globals";
import {
	logFile,
	objectFile,
	PRIVATE,
	privateFile,
	receiptFile,
	rejectedFile,
	snapshotFile,
	tableFile,
	vacuumFile,
} from "../../../../pipelines/lake/paths.js";
import { LakePath } from "../../../../schemas/records.js";
import { EXTENSION, type StoredFormat } from "../../../../schemas/stored-format.js";

/** Every path of the lake's format is built and parsed in one place, and a name that is not the format's is nobody's. */

const HASH = "0123456789abcdef".repeat(4);
const ID = "01234567-89ab-4cde-8f01-23456789abcd";

describe("what is built is parsed back", () => {
	test.each([1, 7, 999_999, 1_000_000])("snapshot %i", (number) => {
		const path = snapshotFile.path(number, HASH);
		expect(snapshotFile.parse(path)).toEqual({ number, hash12: "0123456789ab" });
	});

	test.each(["train_7", "2m_1", "large_14000", "dev-clean_0"])("receipt and table file of the shard %s", (shard) => {
		const [split = "", number = ""] = shard.split("_");
		expect(receiptFile.parse(receiptFile.path(shard, HASH))).toEqual({ shard, workId: HASH });
		const table = { table: "images", shard, split, number: Number(number), hash16: "0123456789abcdef" };
		expect(tableFile.parse(tableFile.path("images", shard, HASH))).toEqual(table);
	});

	test.each([0, 6, 12_345_678])("commit %i of a table's log", (version) => {
		expect(logFile.parse(logFile.path("pairs", version))).toEqual({ table: "pairs", version });
	});

	test.each(Object.keys(EXTENSION) as StoredFormat[])("object stored as %s", (format) => {
		expect(objectFile.parse(objectFile.path(HASH, format))).toEqual({ sha256: HASH, extension: EXTENSION[format] });
	});

	test("rejected bytes", () => {
		expect(rejectedFile.parse(rejectedFile.path(HASH))).toEqual({ sha256: HASH });
	});

	test("vacuum's records", () => {
		expect(vacuumFile.parse(vacuumFile.marks(ID))).toEqual({ kind: "marks", id: ID });
		expect(vacuumFile.parse(vacuumFile.sweep(ID))).toEqual({ kind: "sweep", id: ID });
	});

	test("a file made aside names its owner", () => {
		const name = privateFile.aside("123-456-place", 7).slice(`${privateFile.asideFolder}/`.length);
		expect(privateFile.asideOwner(name)).toBe("123-456-place");
	});
});

test("paths are as the format's description has them", () => {
	expect(snapshotFile.path(7, HASH)).toBe("snapshots/000007-0123456789ab.json");
	expect(receiptFile.path("train_7", HASH)).toBe(`receipts/train/train_7/${HASH}.json`);
	expect(tableFile.path("images", "train_7", HASH)).toBe("tables/images/split=train/shard=7/0123456789abcdef.parquet");
	expect(logFile.path("images", 6)).toBe("tables/images/_delta_log/00000000000000000006.json");
	expect(objectFile.path(HASH, "jpeg")).toBe(`objects/sha256/01/${HASH}.jpg`);
	expect(rejectedFile.path(HASH)).toBe(`rejected/sha256/01/${HASH}`);
	expect(vacuumFile.marks(ID)).toBe(`.irlake/vacuum/${ID}.marks.json`);
});

test("each file lies in the folder that is listed for it", () => {
	expect(snapshotFile.path(1, HASH).startsWith(`${snapshotFile.folder}/`)).toBe(true);
	expect(receiptFile.path("train_1", HASH).startsWith(`${receiptFile.folder}/`)).toBe(true);
	expect(tableFile.path("images", "train_1", HASH).startsWith(`${tableFile.tableFolder("images")}/`)).toBe(true);
	expect(tableFile.tableFolder("images").startsWith(`${tableFile.folder}/`)).toBe(true);
	expect(logFile.path("images", 0).startsWith(`${logFile.folder("images")}/`)).toBe(true);
	expect(objectFile.path(HASH, "webp").startsWith(`${objectFile.folder}/`)).toBe(true);
	expect(rejectedFile.path(HASH).startsWith(`${rejectedFile.folder}/`)).toBe(true);
	for (const path of [vacuumFile.marks(ID), vacuumFile.sweep(ID), vacuumFile.firstKept, vacuumFile.clock]) {
		expect(path.startsWith(`${vacuumFile.folder}/`)).toBe(true);
	}
	const own = [privateFile.aside("owner", 1), privateFile.stagedFolder("owner"), privateFile.lakeId, vacuumFile.folder];
	for (const path of own) expect(path.startsWith(`${PRIVATE}/`)).toBe(true);
});

test("what a record names passes the records' own check of paths", () => {
	const named = [
		snapshotFile.path(1, HASH),
		receiptFile.path("dev-clean_1", HASH),
		tableFile.path("images", "2m_1", HASH),
		objectFile.path(HASH, "webp"),
		rejectedFile.path(HASH),
	];
	for (const path of named) expect(LakePath.parse(path)).toBe(path);
});

test.each([
	["snapshots/7-0123456789ab.json", snapshotFile],
	["snapshots/0000007-0123456789ab.json", snapshotFile],
	["snapshots/000007-0123456789AB.json", snapshotFile],
	["snapshots/000007-0123456789ab.json.tmp", snapshotFile],
	["copy/snapshots/000007-0123456789ab.json", snapshotFile],
	[`receipts/test/train_7/${HASH}.json`, receiptFile],
	[`receipts/train/train_07/${HASH}.json`, receiptFile],
	[`receipts/train/train_7/${HASH.slice(1)}.json`, receiptFile],
	["receipts/train/train_7/notes.json", receiptFile],
	["tables/images/split=train/shard=7/mine.parquet", tableFile],
	["tables/images/split=train/shard=07/0123456789abcdef.parquet", tableFile],
	["tables/images/split=a_b/shard=7/0123456789abcdef.parquet", tableFile],
	["tables/images/split=train/0123456789abcdef.parquet", tableFile],
	["tables/images/split=train/shard=7/0123456789abcdef.parquet.crc", tableFile],
	["tables/images/_delta_log/6.json", logFile],
	["tables/images/_delta_log/00000000000000000006.checkpoint.parquet", logFile],
	["tables/images/_delta_log/_last_checkpoint", logFile],
	[`objects/sha256/02/${HASH}.webp`, objectFile],
	[`objects/sha256/01/${HASH}`, objectFile],
	[`objects/sha256/01/${HASH}.webp.tmp`, objectFile],
	["objects/notes.txt", objectFile],
	[`rejected/sha256/02/${HASH}`, rejectedFile],
	[`rejected/sha256/01/${HASH}.webp`, rejectedFile],
	[`.irlake/vacuum/${ID}.json`, vacuumFile],
	[".irlake/vacuum/first-kept.json", vacuumFile],
])("%s is a foreign name", (path, { parse }) => {
	expect(parse(path)).toBeNull();
});

test("a name that is no shard's has no paths", () => {
	for (const name of ["train", "train_", "train_07", "../up_1", "a/b_1"]) {
		expect(() => receiptFile.path(name, HASH)).toThrow(/is not the name of a shard/);
		expect(() => tableFile.path("images", name, HASH)).toThrow(/is not the name of a shard/);
	}
});
