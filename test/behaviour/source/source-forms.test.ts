import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { lakeFiles, latestSnapshot } from "../../support/lake.js";
import { type From, mirror, receiptsOf } from "../../support/mirror-run.js";
import { tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import { makeSample, type SampleOptions } from "../../tools/sample/make.js";

/** From the Hub or from a downloaded copy of whatever form, what is published is the same. */

const SAMPLE = { shards: ["train_1", "test_2"], images: 14, size: 64, seed: 3 } satisfies SampleOptions;
const ARGS = ["--shards", SAMPLE.shards.join(",")];
const LONG = 300_000;

let temp: ReturnType<typeof tempDir>;
let zips: string;
let hub: HubHandle;
let reference: string;

beforeAll(async () => {
	temp = tempDir("source-forms");
	zips = join(temp.path, "zips");
	await makeSample(zips, SAMPLE);
	hub = await startHub(zips);
	reference = await lakeFrom("hub", { endpoint: hub.endpoint });
}, LONG);
afterAll(async () => {
	await hub?.stop();
	temp.remove();
});

async function lakeFrom(name: string, from: From): Promise<string> {
	const lake = join(temp.path, `${name}-lake`);
	const run = await mirror(from, lake, ARGS);
	expect(run).toMatchObject({ code: 0, document: { state: "published", findings: {} } });
	return lake;
}

/** SHA-256 of each file of the lake that `which` takes, by path. */
function hashes(lake: string, which: (path: string) => boolean): Record<string, string> {
	const entries = lakeFiles(lake)
		.filter(which)
		.map((path) => [
			path,
			createHash("sha256")
				.update(readFileSync(join(lake, path)))
				.digest("hex"),
		]);
	return Object.fromEntries(entries);
}

const isData = (path: string): boolean => path.startsWith("objects/") || path.endsWith(".parquet");
const isReceipt = (path: string): boolean => path.startsWith("receipts/");

/** The Hub's own cache: files under `blobs` by their hash, and a snapshot of links to them. */
function hubCache(name: string): string {
	const cache = join(temp.path, name, "datasets--zai-org--ImageRewardDB");
	const snapshot = join(cache, "snapshots", hub.commit);
	mkdirSync(join(cache, "blobs"), { recursive: true });
	for (const path of readdirSync(zips, { recursive: true, encoding: "utf8" })) {
		const file = join(zips, path);
		if (!statSync(file).isFile()) continue;
		const content = readFileSync(file);
		const blob = join(cache, "blobs", createHash("sha256").update(content).digest("hex"));
		const link = join(snapshot, path);
		mkdirSync(dirname(link), { recursive: true });
		writeFileSync(blob, content);
		symlinkSync(relative(dirname(link), blob), link);
	}
	return snapshot;
}

test("the lake from the Hub has objects and all the parquet that it needs", () => {
	const paths = Object.keys(hashes(reference, isData));
	expect(paths.filter((path) => path.startsWith("objects/"))).toHaveLength(28);
	expect(paths.filter((path) => path.endsWith(".parquet"))).toHaveLength(2 * 3);
});

test("the Hub's zips in a folder give the same objects, parquet and receipts", async () => {
	const lake = await lakeFrom("zips", { folder: zips });
	expect(hashes(lake, isData)).toEqual(hashes(reference, isData));
	expect(hashes(lake, isReceipt)).toEqual(hashes(reference, isReceipt));
});

test("links as in the Hub's own cache give the same objects, parquet and receipts", async () => {
	const lake = await lakeFrom("cache", { folder: hubCache("cache") });
	expect(hashes(lake, isData)).toEqual(hashes(reference, isData));
	expect(hashes(lake, isReceipt)).toEqual(hashes(reference, isReceipt));
});

const forms: [string, SampleOptions][] = [
	["zips with one folder level inside", { layout: "zip-folder" }],
	["zips whose pictures are packed", { deflate: true }],
	["unpacked folders", { layout: "unpacked" }],
	["unpacked folders with the JSON beside them", { layout: "unpacked-json-beside" }],
];

test.each(forms)(
	"%s give the same objects and parquet, and receipts that differ in their input alone",
	async (name, options) => {
		const folder = join(temp.path, name.replaceAll(" ", "-"));
		await makeSample(folder, { ...SAMPLE, ...options });
		const lake = await lakeFrom(name.replaceAll(" ", "-"), { folder });
		expect(hashes(lake, isData)).toEqual(hashes(reference, isData));
		const [own, others] = [receiptsOf(lake), receiptsOf(reference)];
		for (const shard of SAMPLE.shards) {
			const { work_id, inputs, ...rest } = own[shard] ?? {};
			const { work_id: otherId, inputs: otherInputs, ...otherRest } = others[shard] ?? {};
			expect(rest).toEqual(otherRest);
			expect(work_id).not.toBe(otherId);
			expect(inputs?.metadata_rows_sha256).toBe(otherInputs?.metadata_rows_sha256);
			expect(inputs?.zip_sha256 === null).toBe(options.layout?.startsWith("unpacked") ?? false);
		}
	},
	LONG,
);

test("snapshots name their source: the Hub's without endpoint, a folder's without commit", async () => {
	expect(latestSnapshot(reference).source).toMatchObject({
		uri: "hf://zai-org/ImageRewardDB@main",
		revision: "main",
		commit: hub.commit,
		committed_at: "2024-03-04T05:06:07Z",
	});
	const copy = await lakeFrom("named", { folder: zips });
	expect(latestSnapshot(copy).source).toMatchObject({
		uri: pathToFileURL(zips).href,
		revision: null,
		commit: null,
		committed_at: null,
		metadata: latestSnapshot(reference).source.metadata,
	});
});
