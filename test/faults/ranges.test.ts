import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { MemberReader } from "../../infra/adapters/archive/member.js";
import { createHubSource } from "../../infra/adapters/sources/hub/source.js";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { endBytes, RangedZip } from "../../pipelines/fetch/ranged-zip.js";
import type { Member } from "../../pipelines/ports/archive.js";
import type { ShardInput, Source } from "../../pipelines/ports/source.js";
import { shardFiles } from "../../pipelines/shards.js";
import { LakeError } from "../../schemas/errors.js";
import { archives } from "../../workers/wire.js";
import { tempDir } from "../support/root.js";
import { buildZip } from "../tools/fixtures/make-zips.js";
import { type HubHandle, startHub } from "../tools/hub/client.js";
import type { FaultOrder } from "../tools/hub/faults.js";

/** Chosen members of a zip on the Hub, fetched by ranges: whatever befalls a part ends as it would for a whole zip. */

const PATH = "images/train/train_1.zip";
const PARTS = [
	...Array.from({ length: 60 }, (_, at) => ({ name: `${at}.webp`, content: randomBytes(100_000) })),
	{ name: "train_1.json", content: Buffer.from("[1]") },
];
const ZIP = buildZip(PARTS);
/** Two neighbours, and one by itself; far from the zip's end. */
const CHOSEN = [3, 4, 20];
const TAIL = endBytes(ZIP.length);

const root = tempDir("ranges");
let hub: HubHandle;
let cleanup: (() => Promise<void>)[];
let zip: Extract<ShardInput, { form: "zip" }>;
let waits: number[];

beforeAll(async () => {
	mkdirSync(join(root.path, "source/images/train"), { recursive: true });
	writeFileSync(join(root.path, "source", PATH), ZIP);
	writeFileSync(join(root.path, "source/metadata-train.parquet"), "metadata");
	mkdirSync(join(root.path, "scratch"));
	hub = await startHub(join(root.path, "source"));
});

afterAll(async () => {
	await hub.stop();
	root.remove();
});

beforeEach(() => {
	cleanup = [];
	waits = [];
});

afterEach(async () => {
	await hub.faults([]);
	for (const end of cleanup.reverse()) await end();
	expect(readdirSync(join(root.path, "scratch/ranges"))).toEqual([]);
});

/** Time passes only while somebody waits, and at once. */
async function source(idleSeconds = 30): Promise<Source> {
	const made = createHubSource({
		repo: imageRewardDb.repo,
		revision: "main",
		endpoint: hub.endpoint,
		token: "hf_token",
		dataset: imageRewardDb,
		clock: {
			now: () => waits.reduce((sum, seconds) => sum + seconds, 0),
			sleep: async (seconds) => void waits.push(seconds),
		},
		note: () => undefined,
		idleSeconds,
	});
	cleanup.push(() => made.close());
	const listing = await made.list({ shards: ["train_1"], splits: ["train"] }, new AbortController().signal);
	zip = listing.shards.get("train_1") as typeof zip;
	await hub.reset();
	return made;
}

interface Brought {
	zip: RangedZip;
	chosen: Member[];
	fetched: () => number;
}

async function open(from: Source, signal = new AbortController().signal): Promise<Omit<Brought, "chosen">> {
	let fetched = 0;
	const ranged = await RangedZip.open(zip, shardFiles(imageRewardDb, "train_1"), {
		source: from,
		archives,
		scratch: join(root.path, "scratch"),
		signal,
		clock: { now: () => 0, sleep: async (seconds) => void waits.push(seconds) },
		onBytes: (bytes) => {
			fetched += bytes;
		},
	});
	cleanup.push(() => ranged.release());
	return { zip: ranged, fetched: () => fetched };
}

async function bring(from: Source, places = CHOSEN): Promise<Brought> {
	const opened = await open(from);
	const chosen = places.flatMap((at) => opened.zip.archive.members.find(({ name }) => name === `${at}.webp`) ?? []);
	await opened.zip.bring(chosen);
	return { ...opened, chosen };
}

/** What the image threads get of each chosen member: the verdict's code, or "right". */
async function verdicts({ zip: ranged, chosen }: Brought): Promise<string[]> {
	const reader = new MemberReader();
	try {
		const told: string[] = [];
		for (const { name, ref } of chosen) {
			const result = await ranged.judge(ref, async () => {
				const read = reader.read(ref);
				const reject = read.ok ? null : { code: read.code, detail: read.detail };
				const right = read.ok && PARTS.find((part) => part.name === name)?.content.equals(read.content);
				const sha256 = right ? "right" : null;
				return { bytes: null, sha256, crc32: null, reject, warnings: [], image: null };
			});
			told.push(result.reject?.code ?? result.sha256 ?? "other bytes");
		}
		return told;
	} finally {
		reader.close();
	}
}

const RIGHT = CHOSEN.map(() => "right");

async function refusalOf(work: Promise<unknown>): Promise<LakeError> {
	const error = await work.then(
		() => null,
		(thrown: unknown) => thrown,
	);
	if (error instanceof LakeError) return error;
	throw new Error("no LakeError was thrown", { cause: error });
}

const CDN = { route: "cdn", path: PATH } as const;
/** The first requests fetch the directory, twice over; what comes next are members. */
const MEMBERS = { after: 2, times: 1, match: CDN };

test("only the directory, the JSON and the chosen members travel, and the Hub is asked once where they are", async () => {
	const brought = await bring(await source());
	expect(await verdicts(brought)).toEqual(RIGHT);
	const json = brought.zip.archive.json as Member;
	expect((await brought.zip.readJson(json)).toString()).toBe("[1]");
	const { paths, authorization_at_cdn } = await hub.counters();
	const end = ZIP.length;
	const member = (at: number): number => 30 + `${at}.webp`.length + 100_000;
	expect(paths[PATH]?.gets).toBe(1);
	expect(paths[PATH]?.bytes).toBe(2 * TAIL + CHOSEN.reduce((sum, at) => sum + member(at), 0));
	expect(paths[PATH]?.bytes).toBe(brought.fetched());
	expect(paths[PATH]?.ranges.slice(0, 2)).toEqual([
		[end - TAIL, end],
		[end - TAIL, end],
	]);
	// The two neighbours came by one request.
	expect(paths[PATH]?.ranges).toHaveLength(4);
	expect(authorization_at_cdn).toBe(0);
});

test("what was fetched lies at its own offset, and the rest takes no space", async () => {
	const { zip: ranged, chosen } = await bring(await source());
	const here = readFileSync(ranged.path);
	expect(here.length).toBe(ZIP.length);
	for (const { ref } of chosen) {
		if (ref.kind !== "zip") throw new Error("no member of a zip");
		const to = ref.headerOffset + ref.bytes;
		expect(here.subarray(ref.headerOffset, to).equals(ZIP.subarray(ref.headerOffset, to))).toBe(true);
	}
	expect(statSync(ranged.path).blocks * 512).toBeLessThan(TAIL + 400_000);
});

describe("a fault that passes is met by another attempt", () => {
	test.each<[string, Omit<FaultOrder, "match" | "times">]>([
		["a reset amid the body", { kind: "reset-after", bytes: 50_000 }],
		["a body that ends early", { kind: "end-early", bytes: 70_000 }],
		["a shorter body, announced so", { kind: "truncate", bytes: 70_000 }],
		["a longer body", { kind: "overlong", bytes: 1000 }],
		["200 and the whole file", { kind: "ignore-range" }],
		["a compressed body", { kind: "gzip" }],
		["a wrong byte of a member, right by its size", { kind: "wrong-bytes", bytes: 60_000 }],
		["a wrong byte of a member's header", { kind: "wrong-bytes", bytes: 1 }],
		["500", { kind: "status", status: 500 }],
		["503", { kind: "status", status: 503, headers: { "Retry-After": "7" } }],
		["416", { kind: "status", status: 416 }],
		["429", { kind: "status", status: 429, headers: { RateLimit: '"resolvers";r=0;t=9' } }],
		["a page to log in at", { kind: "portal" }],
		["git's pointer in its place", { kind: "pointer" }],
		["a signature that has run out", { kind: "expired" }],
	])("%s", async (_, fault) => {
		const from = await source();
		await hub.faults([{ ...MEMBERS, ...fault }]);
		const brought = await bring(from);
		expect(await verdicts(brought)).toEqual(RIGHT);
		expect((await hub.counters()).faults).not.toEqual({});
	});

	test("silence", async () => {
		const from = await source(0.3);
		await hub.faults([{ ...MEMBERS, kind: "stall-after", bytes: 50_000 }]);
		expect(await verdicts(await bring(from))).toEqual(RIGHT);
	});

	test("a wrong byte of the directory, which has no checksum: it is fetched until two in a row are equal", async () => {
		const from = await source();
		await hub.faults([{ match: CDN, times: 1, kind: "wrong-bytes", bytes: TAIL - 100 }]);
		expect(await verdicts(await bring(from))).toEqual(RIGHT);
		const tails = (await hub.counters()).paths[PATH]?.ranges.filter(([, to]) => to === ZIP.length);
		expect(tails).toHaveLength(3);
	});
});

test("a broken part goes on at the byte", async () => {
	const from = await source();
	await hub.faults([{ ...MEMBERS, kind: "reset-after", bytes: 50_000 }]);
	const brought = await bring(from);
	const { paths } = await hub.counters();
	expect(paths[PATH]?.bytes).toBe(brought.fetched());
});

test("429 holds every request for as long as it says", async () => {
	const from = await source();
	await hub.faults([{ ...MEMBERS, kind: "status", status: 429, headers: { RateLimit: '"resolvers";r=0;t=9' } }]);
	await bring(from);
	expect(Math.max(...waits)).toBe(10);
});

test("an address that runs out after every use costs one more question each time", async () => {
	const from = await source();
	await hub.faults([
		{ match: CDN, after: 1, times: 1, kind: "expired" },
		{ match: CDN, after: 1, times: 1, kind: "expired" },
	]);
	await bring(from);
	expect((await hub.counters()).paths[PATH]?.gets).toBe(3);
});

describe("a fault that stays is told as for a whole zip, and nothing is left", () => {
	test.each<[string, string, Omit<FaultOrder, "match" | "times">]>([
		["HUB_UNAVAILABLE", "200 and the whole file", { kind: "ignore-range" }],
		["HUB_UNAVAILABLE", "resets without a byte", { kind: "reset-after", bytes: 0 }],
		["HUB_UNAVAILABLE", "500", { kind: "status", status: 500 }],
		["HUB_UNAVAILABLE", "addresses that never serve", { kind: "expired" }],
		["HUB_NOT_THE_HUB", "a page to log in at", { kind: "portal" }],
		["HUB_LFS_POINTER", "git's pointer in its place", { kind: "pointer" }],
		["HUB_UNAVAILABLE", "empty bodies", { kind: "truncate", bytes: 0 }],
	])("%s: %s", async (code, _, fault) => {
		const from = await source();
		await hub.faults([{ match: CDN, times: 1000, ...fault }]);
		expect((await refusalOf(bring(from))).code).toBe(code);
	});

	test("ZIP_CORRUPT: a directory that is another one each time", async () => {
		const from = await source();
		const places = [1, 2, 3, 4, 5];
		await hub.faults(places.map((at) => ({ match: CDN, times: 1, kind: "wrong-bytes", bytes: TAIL - 1000 - at })));
		expect(await refusalOf(bring(from))).toMatchObject({ code: "ZIP_CORRUPT" });
	});

	test("MEMBER_CRC_MISMATCH: a member that is wrong twice, and only then", async () => {
		const from = await source();
		await hub.faults([{ ...MEMBERS, times: 2, kind: "wrong-bytes", bytes: 60_000 }]);
		const brought = await bring(from, [20]);
		expect(await verdicts(brought)).toEqual(["MEMBER_CRC_MISMATCH"]);
		expect((await hub.counters()).paths[PATH]?.ranges).toHaveLength(4);
	});
});

test("a file that is not what was listed is refused before a byte of it is taken", async () => {
	const from = await source();
	zip = { ...zip, file: { ...zip.file, sha256: "0".repeat(64) } };
	expect(await refusalOf(open(from))).toMatchObject({ code: "SOURCE_CHANGED" });
});

test("an abort ends it with its reason, and leaves nothing", async () => {
	const from = await source();
	await hub.faults([{ match: CDN, after: 1, times: 1, kind: "hang" }]);
	const stop = new AbortController();
	const opening = open(from, stop.signal);
	while ((await hub.counters()).cdn.requests < 2) await new Promise(setImmediate);
	stop.abort(new Error("enough"));
	await expect(opening).rejects.toThrow("enough");
});
