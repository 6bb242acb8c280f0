import { describe, expect, test } from "@jest/globals";
import { deltaCommit, snapshotOfCommit } from "../../../../pipelines/lake/delta-log.js";
import { logFile } from "../../../../pipelines/lake/paths.js";
import type { Receipt, Snapshot } from "../../../../schemas/records.js";
import { PARTITION_COLUMNS } from "../../../../schemas/tables.js";
import { TABLE_NAMES, TABLES } from "../../../support/tables.js";
import { hex, receipt, snapshot } from "../../../support/values.js";
import { Random } from "../../../tools/sample/random.js";

/** One action of a commit, as far as these tests look. */
interface Action {
	commitInfo?: { timestamp: number; operation: string; irlakeSnapshot: string };
	protocol?: { minReaderVersion: number; minWriterVersion: number };
	metaData?: { id: string; schemaString: string; partitionColumns: string[]; configuration: Record<string, string> };
	txn?: { appId: string; version: number };
	add?: { path: string; size: number; stats: string; partitionValues: Record<string, string>; dataChange: boolean };
	remove?: { path: string; deletionTimestamp: number; partitionValues: Record<string, string>; dataChange: boolean };
}

const PATH = "snapshots/000002-0123456789ab.json";

function actions(base: Snapshot | null, next: Snapshot, table: (typeof TABLE_NAMES)[number] = "images"): Action[] {
	const text = deltaCommit(table, base, next, PATH).toString("utf8");
	expect(text.endsWith("\n")).toBe(true);
	const lines = text.slice(0, -1).split("\n");
	return lines.map((line): Action => JSON.parse(line));
}

const added = (all: Action[]) => all.flatMap(({ add }) => (add ? [add.path] : []));
const removed = (all: Action[]) => all.flatMap(({ remove }) => (remove ? [remove.path] : []));
const inTable = (one: Receipt) => one.files.map(({ path }) => path.slice("tables/images/".length));

const first = receipt("train_1", "first");
const changed = receipt("train_1", "changed");
const other = receipt("test_2", "other");

test("a version's file has twenty digits", () => {
	expect(logFile.path("pairs", 7)).toBe("tables/pairs/_delta_log/00000000000000000007.json");
});

describe("the first commit", () => {
	const all = actions(null, snapshot(1, "c1", [first, other]));

	test("tells what the table is, then adds every file", () => {
		expect(all.map((action) => Object.keys(action))).toEqual(
			["commitInfo", "protocol", "metaData", "txn", "add", "add"].map((name) => [name]),
		);
		expect(all[1]?.protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 2 });
		expect(added(all)).toEqual([...inTable(first), ...inTable(other)]);
	});

	test("has the partition's values as texts, the size, and the exact number of rows", () => {
		expect(all.at(-1)?.add).toMatchObject({
			path: `split=test/shard=2/${hex("other").slice(0, 16)}.parquet`,
			partitionValues: { split: "test", shard: "2" },
			size: 500,
			dataChange: true,
		});
		expect(JSON.parse(all.at(-1)?.add?.stats ?? "")).toEqual({ numRecords: 1 });
	});

	test.each([...TABLE_NAMES])("gives %s its columns, partition columns last, all nullable", (table) => {
		const { metaData } = actions(null, snapshot(1, "c1", [first]), table)[2] ?? {};
		const { fields } = JSON.parse(metaData?.schemaString ?? "") as { fields: { name: string; nullable: boolean }[] };
		expect(fields.map(({ name }) => name)).toEqual([...TABLES[table], ...PARTITION_COLUMNS].map(({ name }) => name));
		expect(fields.every(({ nullable }) => nullable)).toBe(true);
		expect(metaData?.partitionColumns).toEqual(["split", "shard"]);
		expect(metaData?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
	});

	test("each table has an id of its own, the same in every lake", () => {
		const ids = TABLE_NAMES.map((table) => actions(null, snapshot(1, "x", [other]), table)[2]?.metaData?.id);
		expect(new Set(ids).size).toBe(4);
		expect(ids[0]).toBe(all[2]?.metaData?.id);
	});
});

describe("a later commit", () => {
	const base = snapshot(1, "c1", [first, other]);

	test("removes what went and adds what came; a file of both versions has no action", () => {
		const all = actions(base, snapshot(2, "c2", [changed, other]));
		expect(removed(all)).toEqual(inTable(first));
		expect(added(all)).toEqual(inTable(changed));
		expect(all.some(({ metaData, protocol }) => metaData || protocol)).toBe(false);
	});

	test("is empty of files where nothing changed in the table", () => {
		const all = actions(base, snapshot(2, "c2", [changed, other]), "pairs");
		expect(all.map((action) => Object.keys(action)[0])).toEqual(["commitInfo", "txn"]);
	});

	test("gives the snapshot's number to the transaction, and the source commit's time to all", () => {
		const next = snapshot(2, "c2", [changed, other]);
		next.source.committed_at = "2024-03-04T05:06:07Z";
		const all = actions(base, next);
		const time = Date.UTC(2024, 2, 4, 5, 6, 7);
		expect(all[0]?.commitInfo).toMatchObject({ timestamp: time, irlakeSnapshot: PATH });
		expect(all.find(({ txn }) => txn)?.txn).toEqual({ appId: "irlake", version: 2 });
		expect(all.find(({ remove }) => remove)?.remove?.deletionTimestamp).toBe(time);
	});

	test("has time 0 where the source is a folder", () => {
		expect(actions(base, snapshot(2, null, [changed]))[0]?.commitInfo?.timestamp).toBe(0);
	});
});

test("the same two snapshots give the same bytes, whatever the order of their keys", () => {
	const next = snapshot(2, "c2", [changed, other]);
	const turned = Object.fromEntries(Object.entries(structuredClone(next)).reverse()) as Snapshot;
	const base = snapshot(1, "c1", [first]);
	expect(deltaCommit("images", structuredClone(base), turned, PATH)).toEqual(deltaCommit("images", base, next, PATH));
});

test("over any history no path is both removed and added, and the log adds up to the snapshot", () => {
	const shards = ["train_1", "train_2", "test_1"];
	for (let seed = 1; seed <= 50; seed++) {
		const random = new Random(`delta-log/${seed}`);
		const live = new Set<string>();
		let base: Snapshot | null = null;
		for (let number = 1; number <= 8; number++) {
			const some = shards
				.filter(() => random.int(0, 2) > 0)
				.map((shard) => receipt(shard, `${shard} ${random.int(1, 3)}`));
			const next = snapshot(number, "c", some);
			const all = actions(base, next);
			expect(added(all).filter((path) => removed(all).includes(path))).toEqual([]);
			for (const path of removed(all)) expect(live.delete(path)).toBe(true);
			for (const path of added(all)) live.add(path);
			expect([...live].sort()).toEqual(some.flatMap(inTable).sort());
			base = next;
		}
	}
});

test("the commit names its snapshot; other text names none", () => {
	const commit = deltaCommit("images", null, snapshot(1, "c1", [first]), PATH);
	expect(snapshotOfCommit(commit)).toBe(PATH);
	for (const text of ["", "{}", "no JSON", '{"commitInfo":{}}', '{"commitInfo":{"irlakeSnapshot":7}}', "null"]) {
		expect(snapshotOfCommit(Buffer.from(text))).toBeNull();
	}
});
