import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { allShards, shardParts } from "../../../pipelines/shards.js";
import { metadataPath, splitNames } from "../../../pipelines/splits.js";
import { latestSnapshot } from "../../support/lake.js";
import { mirror, receiptsOf, verify } from "../../support/mirror-run.js";
import { tempDir } from "../../support/root.js";
import type { SourceRow } from "../../support/tables.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import { writeMetadata } from "../../tools/sample/metadata.js";
import { fileNameOf, rowsOf } from "../../tools/sample/plan.js";
import { drawnPlan } from "../../tools/sample/rows.js";
import { chunk, riff } from "../../tools/sample/webp.js";
import { STORED, ZipWriter } from "../../tools/sample/zip-writer.js";

/**
 * One image in a hundred, scattered over all 36 shards, costs less than three bytes in a hundred. An image has its real
 * size, 330 KB, so that the JSON and the directory are as large beside it as in the dataset; a shard has 400 images
 * instead of 1,560 or more. Images that are not chosen are holes: they take no space, and would fail if they were read.
 */

const IMAGES = 400;
const IMAGE_BYTES = 330_000;
/** By a hash of the path: one in a hundred, anywhere. */
const WHERE = "md5(image_path) < '028f5c'";

let temp: ReturnType<typeof tempDir>;
let hub: HubHandle;
let chosen = 0;
let size = 0;

/** A lossless WebP by its structure; of random bytes, which no connection can pack. */
function picture(): Buffer {
	const payload = randomBytes(IMAGE_BYTES - 20);
	payload.writeUInt8(0x2f, 0);
	payload.writeUInt32LE(511 | (511 << 14), 1);
	return riff([chunk("VP8L", payload)]);
}

function isChosen({ image_path }: SourceRow): boolean {
	return createHash("md5").update(image_path).digest("hex") < "028f5c";
}

function writeZip(path: string, shard: string): SourceRow[] {
	const rows = rowsOf(drawnPlan(shard, IMAGES, 1)).flatMap((row) => {
		return row.metadata ? [{ name: fileNameOf(row), row: row.metadata }] : [];
	});
	mkdirSync(dirname(path), { recursive: true });
	const zip = new ZipWriter(path);
	for (const { name, row } of rows) {
		if (!isChosen(row)) zip.hole(name, IMAGE_BYTES);
		else zip.add(name, picture(), STORED);
	}
	zip.add(`${shard}.json`, Buffer.from(JSON.stringify(rows.map(({ row }) => row))), STORED);
	zip.end();
	chosen += rows.filter(({ row }) => isChosen(row)).length;
	size += statSync(path).size;
	return rows.map(({ row }) => row);
}

beforeAll(async () => {
	temp = tempDir("selective-bytes");
	const source = join(temp.path, "source");
	for (const split of splitNames(imageRewardDb)) {
		const shards = allShards(imageRewardDb).filter((shard) => shardParts(shard).split === split);
		const rows = shards.flatMap((shard) => writeZip(join(source, imageRewardDb.layout.zipPath(shard)), shard));
		const metadata = join(source, metadataPath(imageRewardDb, split));
		await writeMetadata(metadata, rows);
		size += statSync(metadata).size;
	}
	hub = await startHub(source);
}, 120_000);

afterAll(async () => {
	await hub?.stop();
	temp.remove();
});

test("1 % of the images takes less than 3 % of the bytes, metadata and listing included", async () => {
	const lake = join(temp.path, "lake");
	const run = await mirror({ endpoint: hub.endpoint }, lake, ["--where", WHERE, "--verify", "structure"]);
	expect(run).toMatchObject({ code: 0, document: { state: "published", findings: {} } });
	const share = chosen / (36 * IMAGES);
	expect(share).toBeGreaterThan(0.008);
	expect(share).toBeLessThan(0.012);
	expect(latestSnapshot(lake).counts).toMatchObject({
		shards: 36,
		rows_in: 36 * IMAGES,
		rows_published: chosen,
		rows_rejected: 0,
		rows_unselected: 36 * IMAGES - chosen,
		members_unselected: 36 * IMAGES - chosen,
	});
	const { api, cdn, paths } = await hub.counters();
	const fetched = api.bytes + cdn.bytes;
	process.stderr.write(
		`${chosen} of ${36 * IMAGES} images: ${fetched} of ${size} bytes, ${((100 * fetched) / size).toFixed(2)} %\n`,
	);
	expect(fetched).toBeLessThan(0.03 * size);
	// Told as it was: what the Hub counted of files.
	const files = Object.values(paths).reduce((sum, { bytes }) => sum + bytes, 0);
	expect(run.document.bytes_downloaded).toBe(files);
	// The Hub was asked once about each file.
	expect(Object.values(paths).map(({ gets }) => gets)).toEqual(Array.from({ length: 39 }, () => 1));
	const receipts = Object.values(receiptsOf(lake));
	expect(receipts.map(({ inputs }) => inputs.zip_hash_checked)).toEqual(receipts.map(() => false));
	expect(await verify(lake)).toEqual({ code: 0, problems: [] });
}, 120_000);
