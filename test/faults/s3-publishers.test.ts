import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { snapshotOfCommit } from "../../pipelines/lake/delta-log.js";
import { nextSnapshot } from "../../pipelines/lake/next-snapshot.js";
import { publish } from "../../pipelines/lake/publish.js";
import { readSnapshot, type StoredSnapshot } from "../../pipelines/lake/snapshot.js";
import { tablesOf } from "../../pipelines/lake/tables.js";
import type { Store } from "../../pipelines/ports/store.js";
import { Latest, type Receipt, type Snapshot } from "../../schemas/records.js";
import { DEFAULT_SETTINGS } from "../../schemas/settings.js";
import { describeS3 } from "../support/describe-s3.js";
import { tempDir } from "../support/root.js";
import { S3Server } from "../support/s3.js";
import { openTestStore } from "../support/s3-store.js";
import { TABLE_NAMES } from "../support/tables.js";
import { receipt } from "../support/values.js";

/** Two publishers race for every version of a lake on S3: none is lost, none is there twice, `latest.json` ends at the last. */

const describeServer = await describeS3();
const ROUNDS = 50;

describeServer("publishers on S3", () => {
	let server: S3Server;
	let local: ReturnType<typeof tempDir>;

	beforeAll(async () => {
		local = tempDir("s3-publishers");
		server = await S3Server.start();
	}, 120_000);

	afterAll(async () => {
		await server?.stop();
		local?.remove();
	});

	/** Publishes one receipt on top of whatever is newest; returns the number it came with. */
	async function publishReceipt(store: Store, own: Receipt, all: Map<string, Receipt>): Promise<number> {
		all.set(own.work_id, own);
		const source = { uri: "hf://zai-org/ImageRewardDB", revision: "main", commit: "c0ffee", committed_at: null };
		const run = { dataset: imageRewardDb, source, metadata: [], settings: DEFAULT_SETTINGS, skipped: [], prune: false };
		const plans = async (base: StoredSnapshot | null) =>
			nextSnapshot(base?.snapshot ?? null, { ...run, receipts: [own] }, all, new Set());
		// The receipts are in this test's memory alone.
		const stored = await publish(store, tablesOf(imageRewardDb), plans, async () => {});
		return stored?.snapshot.number ?? 0;
	}

	async function records(store: Store, folder: string): Promise<string[]> {
		const found: string[] = [];
		for await (const { path } of store.list(folder)) found.push(path);
		return found.sort();
	}

	test("fifty rounds of two", async () => {
		const stores = await Promise.all(
			["one", "two"].map((name) =>
				openTestStore(server, local.path, { prefix: "raced", scratch: `${local.path}/${name}` }),
			),
		);
		const store = stores[0] as Store;
		const all = new Map<string, Receipt>();
		for (let round = 1; round <= ROUNDS; round++) {
			const numbers = await Promise.all(
				stores.map((each, at) => publishReceipt(each, receipt(`train_${at + 1}`, `${at} ${round}`), all)),
			);
			expect(numbers.sort((a, b) => a - b)).toEqual([2 * round - 1, 2 * round]);
		}
		const snapshots: Snapshot[] = [];
		for (const table of TABLE_NAMES) {
			const logs = await records(store, `tables/${table}/_delta_log`);
			expect(logs).toHaveLength(2 * ROUNDS);
			for (const [at, path] of logs.entries()) {
				expect(path).toBe(`tables/${table}/_delta_log/${String(at).padStart(20, "0")}.json`);
				const named = snapshotOfCommit((await store.get(path)) as Buffer) as string;
				if (table === "images") snapshots.push((await readSnapshot(store, named)).snapshot);
				else expect(named).toContain(`/${String(at + 1).padStart(6, "0")}-`);
			}
		}
		// Each of the hundred receipts came with a version of its own, and with no other.
		const firsts = snapshots.map(({ shards }, at) => {
			const before = new Set(snapshots[at - 1]?.shards.map(({ work_id }) => work_id));
			return shards.filter(({ work_id }) => !before.has(work_id)).map(({ work_id }) => work_id);
		});
		expect(firsts.every((ids) => ids.length === 1)).toBe(true);
		expect(new Set(firsts.flat())).toEqual(new Set(all.keys()));
		const latest = Latest.parse(JSON.parse(String(await store.get("latest.json"))));
		expect(latest.number).toBe(2 * ROUNDS);
		expect((await readSnapshot(store, latest.snapshot, latest.sha256)).snapshot.shards).toHaveLength(2);
	}, 300_000);
});
