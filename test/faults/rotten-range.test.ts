import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openZip } from "../../infra/adapters/archive/zip.js";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { endBytes } from "../../pipelines/fetch/ranged-zip.js";
import type { Member } from "../../pipelines/ports/archive.js";
import { shardFiles } from "../../pipelines/shards.js";
import { lakeFiles } from "../support/lake.js";
import { mirror, receiptsOf, rowsOf, scratchOf, verify } from "../support/mirror-run.js";
import { tempDir } from "../support/root.js";
import { type HubHandle, startHub } from "../tools/hub/client.js";
import type { FaultOrder } from "../tools/hub/faults.js";
import { makeSample } from "../tools/sample/make.js";

/** Wrong bytes that stay wrong, as of a cache with a rotten block: no good image goes to quarantine for them. */

const PATH = "images/train/train_1.zip";
const CDN = { route: "cdn", path: PATH } as const;
const LONG = 120_000;

let temp: ReturnType<typeof tempDir>;
let hub: HubHandle;
let source: string;
let zip: Buffer;
/** The one image that is chosen. */
let image: Member;
let name: string;
let where: string[];
/** The requests that it takes, where all is well: the directory, with the JSON before it, twice, and the image. */
let requests: number;
let right: string[];

/** Objects and parquet, by path: their names are their content's. */
function dataOf(lake: string): string[] {
	return lakeFiles(lake).filter((path) => path.startsWith("objects/") || path.endsWith(".parquet"));
}

function checked(lake: string): unknown {
	return receiptsOf(lake).train_1?.inputs.zip_hash_checked;
}

beforeAll(async () => {
	temp = tempDir("rotten-range");
	source = join(temp.path, "source");
	await makeSample(source, { shards: ["train_1"], images: 60, size: 96, seed: 3 });
	zip = readFileSync(join(source, PATH));
	const { members } = await openZip(
		join(source, PATH),
		shardFiles(imageRewardDb, "train_1"),
		new AbortController().signal,
	);
	// Its record lies in what is fetched of the zip's end first.
	image = members.find(({ name }) => recordOf(name) > 0 && recordOf(name) < endBytes(zip.length) - 2000) as Member;
	name = image.name;
	where = ["--shards", "train_1", "--where", `image_path = 'images/train/train_1/${name}'`, "--max-reject-ratio", "1"];
	hub = await startHub(source);
	const lake = join(temp.path, "right");
	expect(await mirror({ endpoint: hub.endpoint }, lake, where)).toMatchObject({ code: 0, document: { findings: {} } });
	expect(checked(lake)).toBe(false);
	requests = (await hub.counters()).paths[PATH]?.ranges.length ?? 0;
	right = dataOf(lake);
}, LONG);

afterAll(async () => {
	await hub?.stop();
	temp.remove();
});

/** Where the directory's record of a member has its name, in what is fetched of the zip's end first. */
function recordOf(name: string): number {
	return zip.lastIndexOf(name) - (zip.length - endBytes(zip.length));
}

function jsonData(): number {
	return zip.indexOf("train_1.json") + 100 - (zip.length - endBytes(zip.length));
}

describe("wrong for ranges only: the whole zip is fetched, and the lake is as it should be", () => {
	test.each<[string, string, () => Partial<FaultOrder>[]]>([
		["the image", "MEMBER_CRC_MISMATCH", () => [{ after: requests - 1, bytes: 1000 }]],
		["the JSON", "JSON_INVALID", () => [{ bytes: jsonData() }, { bytes: 142, times: 1 }]],
		["a name in the directory", "IMAGE_MISSING", () => [{ bytes: recordOf(name) }]],
		["a size in the directory", "MEMBER_UNREADABLE", () => [{ bytes: recordOf(name) - 46 + 24 }]],
		["the directory's end", "ZIP_CORRUPT", () => [{ bytes: endBytes(zip.length) - 22 }]],
	])(
		"%s (%s)",
		async (what, code, rotten) => {
			const lake = join(temp.path, what);
			await hub.reset();
			await hub.faults(rotten().map((fault) => ({ match: CDN, kind: "wrong-bytes", times: 2, ...fault })));
			const run = await mirror({ endpoint: hub.endpoint }, lake, where);
			expect(run).toMatchObject({ code: 0, document: { state: "published", findings: {} } });
			expect(dataOf(lake)).toEqual(right);
			expect(checked(lake)).toBe(true);
			expect(run.stderr).toContain("the whole zip is fetched to be sure");
			expect(run.stderr).toContain(code);
			const { paths } = await hub.counters();
			expect(run.document.bytes_downloaded).toBe(Object.values(paths).reduce((sum, { bytes }) => sum + bytes, 0));
			expect(await verify(lake)).toEqual({ code: 0, problems: [] });
		},
		LONG,
	);
});

test(
	"wrong whichever way it is fetched: SHARD_HASH_MISMATCH, and nothing is published",
	async () => {
		const lake = join(temp.path, "rotten");
		await hub.reset();
		await hub.faults([{ match: CDN, kind: "wrong-bytes", bytes: 1000, after: requests - 1, times: 400 }]);
		const run = await mirror({ endpoint: hub.endpoint }, lake, where);
		expect(run).toMatchObject({ code: 1, document: { state: "failed", counts: null } });
		expect(run.document.shards).toMatchObject([{ shard: "train_1", state: "failed", code: "SHARD_HASH_MISMATCH" }]);
		expect(lakeFiles(lake).filter((path) => /receipts|snapshots|latest|_delta_log/.test(path))).toEqual([]);
		expect(readdirSync(join(scratchOf(lake), "ranges"))).toEqual([]);
		// The image once more, and the whole zip twice.
		expect((await hub.counters()).paths[PATH]?.ranges).toHaveLength(requests + 3);
		// Once the block is right again, so is the lake.
		await hub.faults([]);
		expect(await mirror({ endpoint: hub.endpoint }, lake, where)).toMatchObject({
			code: 0,
			document: { findings: {} },
		});
		expect(dataOf(lake)).toEqual(right);
	},
	LONG,
);

test(
	"wrong in the zip itself: the finding, as of a zip that is read whole, for one download of it",
	async () => {
		const folder = join(temp.path, "damaged");
		const damaged = Buffer.from(zip);
		if (image.ref.kind !== "zip") throw new Error("no member of a zip");
		const at = image.ref.headerOffset + 1000;
		damaged.writeUInt8(damaged.readUInt8(at) ^ 0xff, at);
		mkdirSync(join(folder, dirname(PATH)), { recursive: true });
		writeFileSync(join(folder, PATH), damaged);
		const metadata = readdirSync(source).filter((file) => file.endsWith(".parquet"));
		for (const file of metadata) writeFileSync(join(folder, file), readFileSync(join(source, file)));
		const [parts, whole] = [join(temp.path, "parts"), join(temp.path, "whole")];
		const own = await startHub(folder);
		try {
			const run = await mirror({ endpoint: own.endpoint }, parts, where);
			expect(run).toMatchObject({ code: 0, document: { findings: { MEMBER_CRC_MISMATCH: 1 } } });
			const { ranges = [] } = (await own.counters()).paths[PATH] ?? {};
			expect(ranges.filter(([from, to]) => from === 0 && to === zip.length)).toHaveLength(1);
		} finally {
			await own.stop();
		}
		expect(await mirror({ folder }, whole, where)).toMatchObject({ code: 0 });
		expect(dataOf(parts)).toEqual(dataOf(whole));
		expect(receiptsOf(parts)).toEqual(receiptsOf(whole));
		expect(await rowsOf(parts, "images")).toEqual([]);
	},
	LONG,
);
