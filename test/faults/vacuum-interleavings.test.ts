import { utimesSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { openFolderStore } from "../../infra/adapters/store/folder/store.js";
import { claimedSnapshot } from "../../pipelines/lake/publish.js";
import { decideMarks } from "../../pipelines/lake/sweeping/decisions.js";
import { readFirstKept } from "../../pipelines/lake/sweeping/first-kept.js";
import { listRecords } from "../../pipelines/lake/sweeping/marks.js";
import { sweepMarks } from "../../pipelines/lake/sweeping/sweep.js";
import type { Store } from "../../pipelines/ports/store.js";
import { namesOf } from "../../pipelines/vacuum/survey.js";
import type { Snapshot } from "../../schemas/records.js";
import { systemClock } from "../../workers/clock.js";
import { Baton, type Stop } from "../support/baton.js";
import { describeS3 } from "../support/describe-s3.js";
import { tempDir } from "../support/root.js";
import { S3Server } from "../support/s3.js";
import { openTestStore } from "../support/s3-store.js";
import { SHARDS, Variants } from "../support/vacuumed-lake.js";

/** Each meeting of a publish with vacuum that docs/decisions/0009-vacuum.md goes through ends with whole snapshots. */

type LakeStore = Store & { stage: { folder: string } };

let variants: Variants;
let local: ReturnType<typeof tempDir>;
let server: S3Server | null = null;
const describeServer = await describeS3();

beforeAll(async () => {
	local = tempDir("vacuum-interleavings");
	variants = await Variants.open();
}, 120_000);
afterAll(async () => {
	await variants?.close();
	await server?.stop();
	local?.remove();
});

/** Mirrors the source as it was in the first snapshot, which is no longer kept. */
async function backToFirst(baton: Baton, store: LakeStore): Promise<number | null> {
	const work = () =>
		variants.mirror(baton.store("writer", store), store.stage.folder, 1, SHARDS, baton.clock("writer"));
	return baton.run("writer", work);
}

async function vacuums(baton: Baton, store: LakeStore, times: number): Promise<number> {
	let deleted = 0;
	await baton.run("vacuum", async () => {
		for (let at = 0; at < times; at++) {
			const report = await variants.vacuum(baton.store("vacuum", store), 1, baton.clock("vacuum"));
			for (const { files } of Object.values(report?.deleted ?? {})) deleted += files;
		}
	});
	return deleted;
}

const alone = (name: string) => new Baton([[name, []]]);

for (const kind of ["folder", "S3"]) {
	const describeKind = kind === "S3" ? describeServer : (_: string, body: () => void) => body();
	describeKind(`on ${kind}`, () => {
		let lakes = 0;
		let lake: string;
		let open: () => Promise<LakeStore>;

		beforeEach(async () => {
			if (kind === "S3") server ??= await S3Server.start();
			lakes += 1;
			lake = join(local.path, kind === "S3" ? "s3" : `lake-${lakes}`);
			const options = { prefix: `lake-${lakes}` };
			open = async () => (server && kind === "S3" ? openTestStore(server, lake, options) : openFolderStore(lake));
			for (const variant of [1, 2]) {
				const store = await open();
				await variants.mirror(store, store.stage.folder, variant, SHARDS, systemClock);
				await store.dropStaged();
			}
			variants.sweptRuns = 0;
			// S3 tells times to the second: what vacuum marks must be older than its mark.
			if (kind === "S3") await systemClock.sleep(1, new AbortController().signal);
		}, 120_000);

		/** Lets a mirror and so many vacuums meet as told; the mirror publishes snapshot 3, and all that is kept is whole. */
		async function meet(runs: [string, Stop[]][], times: number): Promise<{ deleted: number; baton: Baton }> {
			const baton = new Baton(runs);
			const writer = await open();
			const [published, deleted] = await Promise.all([backToFirst(baton, writer), vacuums(baton, await open(), times)]);
			await writer.dropStaged();
			expect(published).toBe(3);
			expect(await variants.requireWhole(writer, await readFirstKept(writer))).toBe(3);
			// And all of it stays so, whatever vacuum does next.
			for (let at = 0; at < 2; at++) await vacuums(alone("vacuum"), await open(), 1);
			expect(await variants.requireWhole(writer, 3)).toBe(3);
			return { deleted, baton };
		}

		const mark = async () => void (await vacuums(alone("vacuum"), await open(), 1));

		test(`${kind}: planned before the mark, and what it reuses is swept before its intent: done again`, async () => {
			const { deleted } = await meet(
				[
					["writer", [/^putIfAbsent snapshots/]],
					["vacuum", []],
				],
				2,
			);
			expect(deleted).toBeGreaterThan(0);
			expect(variants.sweptRuns).toBe(1);
		}, 60_000);

		test(`${kind}: planned before the mark, and its intent is there when vacuum looks again: all stays`, async () => {
			const { deleted } = await meet(
				[
					["writer", [/^putIfAbsent tables\/images\/_delta_log/]],
					["vacuum", []],
				],
				2,
			);
			expect(deleted).toBe(0);
			expect(variants.sweptRuns).toBe(0);
		}, 60_000);

		test(`${kind}: vacuum has looked again and not decided: its marks are made void`, async () => {
			await mark();
			const { deleted } = await meet(
				[
					["vacuum", [/^putIfAbsent .*sweep/]],
					["writer", []],
				],
				1,
			);
			expect(deleted).toBe(0);
			expect(variants.sweptRuns).toBe(0);
		}, 60_000);

		test(`${kind}: vacuum is about to delete: the publisher waits for its end, then does the shards again`, async () => {
			await mark();
			const { deleted, baton } = await meet(
				[
					["vacuum", [/^delete receipts/]],
					["writer", []],
				],
				1,
			);
			expect(deleted).toBeGreaterThan(0);
			expect(variants.sweptRuns).toBe(1);
			const claim = baton.seen.findIndex((call) => /writer putIfAbsent tables\/images\/_delta_log/.test(call));
			expect(baton.seen.findLastIndex((call) => /vacuum delete/.test(call))).toBeLessThan(claim);
		}, 60_000);

		test(`${kind}: objects that were there already are swept before the receipt: done again`, async () => {
			await mark();
			await meet(
				[
					["writer", [/^putFile tables\/images/]],
					["vacuum", []],
				],
				1,
			);
		}, 60_000);

		test(`${kind}: two vacuums at once delete what one alone does`, async () => {
			await mark();
			const baton = new Baton([
				["vacuum", [/^delete receipts/]],
				["other", [/^list objects/]],
			]);
			const both = await Promise.all([
				vacuums(baton, await open(), 1),
				baton.run("other", async () =>
					variants.vacuum(baton.store("other", await open()), 1, baton.clock("other"), 1000),
				),
			]);
			expect(both[0]).toBeGreaterThan(0);
			const store = await open();
			expect(await variants.requireWhole(store, 2)).toBe(2);
			for (let at = 0; at < 2; at++) await vacuums(alone("vacuum"), await open(), 1);
			expect(await listRecords(store)).toMatchObject({ marks: [], swept: true });
			expect(await variants.requireWhole(store, 2)).toBe(2);
		}, 60_000);

		test(`${kind}: a vacuum that comes to its decision when another has ended the marks deletes nothing`, async () => {
			await mark();
			const store = await open();
			const [{ id } = { id: "" }] = (await listRecords(store)).marks;
			await vacuums(alone("vacuum"), await open(), 1);
			expect(await backToFirst(alone("writer"), await open())).toBe(3);
			const files: string[] = [];
			for (const folder of ["receipts", "objects"]) for await (const { path } of store.list(folder)) files.push(path);
			const tools = { clock: systemClock, signal: new AbortController().signal };
			expect(await sweepMarks(store, id, files, tools)).toBe(false);
			expect(await variants.requireWhole(store, 3)).toBe(3);
			expect(await listRecords(store)).toMatchObject({ marks: [], decided: new Set() });
		}, 60_000);
	});
}

test("a publisher takes over the sweep of a dead vacuum, once that is ten minutes old", async () => {
	const lake = join(local.path, "dead");
	for (const variant of [1, 2]) {
		const store = openFolderStore(lake);
		await variants.mirror(store, store.stage.folder, variant, SHARDS, systemClock);
	}
	const store = openFolderStore(lake);
	await vacuums(alone("vacuum"), store, 1);
	const [{ id } = { id: "" }] = (await listRecords(store)).marks;
	const gone: string[] = [];
	for await (const { path } of store.list("receipts/train")) gone.push(path);
	const kept = namesOf((await claimedSnapshot(store, 2))?.snapshot as Snapshot);
	const unneeded = gone.filter((path) => !kept.includes(path));
	expect(await decideMarks(store, id, unneeded)).toBe(true);
	const old = new Date(Date.now() - 700_000);
	utimesSync(join(lake, `.irlake/vacuum/${id}.sweep.json`), old, old);
	variants.sweptRuns = 0;
	expect(await backToFirst(alone("writer"), store)).toBe(3);
	expect(await variants.requireWhole(store, 2)).toBe(3);
	expect((await listRecords(store)).decided.has(id)).toBe(false);
}, 60_000);
