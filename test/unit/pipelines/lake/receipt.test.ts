import { expect, test } from "@jest/globals";
import { receiptFile } from "../../../../pipelines/lake/paths.js";
import { readReceipts, snapshotReceipts, storeReceipt } from "../../../../pipelines/lake/receipt.js";
import { recordBytes } from "../../../../pipelines/lake/snapshot.js";
import { MemoryStore } from "../../../support/memory-store.js";
import { receipt, snapshot } from "../../../support/values.js";

/** Receipts are read some at a time, and a receipt that is there first stays. */

const NUMBERS = Array.from({ length: 100 }, (_, at) => at + 1);
const RECEIPTS = NUMBERS.map((number) => receipt(`train_${number}`, `work ${number}`));
const PATHS = RECEIPTS.map(({ shard, work_id }) => receiptFile.path(shard, work_id));

/** Knows how many reads were under way at most. */
class Counting extends MemoryStore {
	#open = 0;
	most = 0;

	override async get(path: string): Promise<Buffer | null> {
		this.#open += 1;
		this.most = Math.max(this.most, this.#open);
		await new Promise((resolve) => setImmediate(resolve));
		this.#open -= 1;
		return super.get(path);
	}
}

async function filled(): Promise<Counting> {
	const store = new Counting();
	for (const [at, path] of PATHS.entries()) await store.putIfAbsent(path, recordBytes(RECEIPTS[at]));
	return store;
}

test("a hundred receipts are read at most 32 at once, and come in the order asked", async () => {
	const store = await filled();
	const found = await readReceipts(store, PATHS);
	expect([...found.values()]).toEqual(RECEIPTS);
	expect(store.most).toBe(32);
});

test("those that are not there are left out; a snapshot's must all be there", async () => {
	const store = await filled();
	const gone = PATHS[49] ?? "";
	await store.delete([gone]);
	expect((await readReceipts(store, PATHS)).size).toBe(99);
	const reading = snapshotReceipts(store, snapshot(1, null, RECEIPTS));
	await expect(reading).rejects.toMatchObject({ code: "LAKE_DAMAGED", path: gone });
});

test("a receipt at another one's path is damage", async () => {
	const store = new MemoryStore();
	const [path = ""] = PATHS;
	await store.putIfAbsent(path, recordBytes(RECEIPTS[1]));
	await expect(readReceipts(store, [path])).rejects.toMatchObject({ code: "LAKE_DAMAGED", path });
});

test("who comes second adopts the first one's receipt, unless files that it names are gone", async () => {
	const store = new MemoryStore();
	const own = receipt("train_1", "work");
	const first = { ...own, findings: { IMAGE_EMPTY: 1 } };
	const path = receiptFile.path(own.shard, own.work_id);
	expect(await storeReceipt(store, first)).toEqual(first);
	expect(await storeReceipt(store, own)).toEqual(own);
	expect(await store.get(path)).toEqual(recordBytes(own));
	for (const file of own.files) await store.putIfAbsent(file.path, Buffer.from("parquet"));
	expect(await storeReceipt(store, first)).toEqual(own);
	expect(await store.get(path)).toEqual(recordBytes(own));
});
