import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import type { FaultOrder } from "../../tools/hub/faults.js";

/** The test Hub's faults: each does what its name says, where and as often as asked, and none happens unasked. */

const NAME = "zai-org/ImageRewardDB";
const ZIP = "images/train/train_1.zip";
const zip = randomBytes(300_000);
const folder = tempDir("hub-faults");
let hub: HubHandle;

beforeAll(async () => {
	mkdirSync(dirname(join(folder.path, ZIP)), { recursive: true });
	writeFileSync(join(folder.path, ZIP), zip);
	hub = await startHub(folder.path);
});
beforeEach(async () => {
	await hub.faults([]);
	await hub.chance({ rate: 0 });
	await hub.reset();
});
afterAll(async () => {
	await hub.stop();
	folder.remove();
});

const get = (url: string, init: RequestInit = {}) => fetch(url, { redirect: "manual", ...init });
const header = (response: Response, name: string): string => response.headers.get(name) ?? "";
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

async function signedUrl(): Promise<string> {
	const response = await get(`${hub.endpoint}/datasets/${NAME}/resolve/main/${ZIP}`, { method: "HEAD" });
	return header(response, "location");
}

/** By hash: comparing large buffers element by element takes seconds. */
function expectBytes(got: Buffer, wanted: Uint8Array): void {
	const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
	expect([got.length, sha256(got)]).toEqual([wanted.length, sha256(wanted)]);
}

/** The file's bytes from 100,000 on, asked for where the CDN meets the fault. */
async function spoiltRest(fault: Pick<FaultOrder, "kind" | "bytes">): Promise<Response> {
	const url = await signedUrl();
	await hub.faults([{ match: { route: "cdn", path: ZIP }, times: 1, ...fault }]);
	return get(url, { headers: { range: "bytes=100000-" } });
}

test("a status replaces the answer, only where it matches and only as often as asked", async () => {
	const headers = { RateLimit: '"api";r=0;t=7' };
	await hub.faults([{ match: { route: "tree" }, times: 2, kind: "status", status: 429, headers }]);
	const tree = `${hub.endpoint}/api/datasets/${NAME}/tree/main`;
	expect((await get(`${hub.endpoint}/api/datasets/${NAME}`)).status).toBe(200);
	const first = await get(tree);
	expect(first.status).toBe(429);
	expect(header(first, "ratelimit")).toBe('"api";r=0;t=7');
	expect((await get(tree)).status).toBe(429);
	expect((await get(tree)).status).toBe(200);
});

test("wrong bytes keep the size, a truncated body ends cleanly, a reset breaks the connection", async () => {
	const url = await signedUrl();
	const match = { route: "cdn", path: ZIP } as const;
	await hub.faults([
		{ match, times: 1, kind: "wrong-bytes", bytes: 5 },
		{ match, times: 1, kind: "truncate", bytes: 1000 },
		{ match, times: 1, kind: "reset-after", bytes: 1000 },
	]);
	const wrong = await bytesOf(await get(url));
	expect(wrong[5]).toBe(255 - (zip[5] ?? 0));
	wrong[5] = zip[5] ?? 0;
	expectBytes(wrong, zip);
	expectBytes(await bytesOf(await get(url)), zip.subarray(0, 1000));
	await expect(get(url).then(bytesOf)).rejects.toThrow();
	expectBytes(await bytesOf(await get(url)), zip);
	expect((await hub.counters()).paths[ZIP]?.ranges).toEqual([
		[0, zip.length],
		[0, 1000],
		[0, 1000],
		[0, zip.length],
	]);
});

test("a stalled body stays open without another byte until the client goes", async () => {
	const url = await signedUrl();
	await hub.faults([{ match: { route: "cdn" }, times: 1, kind: "stall-after", bytes: 1000 }]);
	const abort = new AbortController();
	const response = await get(url, { signal: abort.signal });
	const reader = response.body?.getReader();
	let got = 0;
	while (got < 1000) got += (await reader?.read())?.value?.length ?? 0;
	expect(got).toBe(1000);
	const more = reader?.read();
	abort.abort();
	await expect(more).rejects.toThrow();
});

test("an overlong body announces and sends more than the file has", async () => {
	const response = await spoiltRest({ kind: "overlong", bytes: 7 });
	expect(header(response, "content-length")).toBe("200007");
	const body = await bytesOf(response);
	expect(body.length).toBe(200_007);
	expectBytes(body.subarray(0, 200_000), zip.subarray(100_000));
});

test("an ignored range gives the whole file, and says 200", async () => {
	const response = await spoiltRest({ kind: "ignore-range" });
	expect({ status: response.status, range: header(response, "content-range") }).toEqual({ status: 200, range: "" });
	expectBytes(await bytesOf(response), zip);
	expect((await hub.counters()).paths[ZIP]).toMatchObject({ ranges: [[0, zip.length]], spoilt: ["ignore-range"] });
});

test("a compressed answer is of the range asked for, and says so", async () => {
	const response = await spoiltRest({ kind: "gzip" });
	expect({ status: response.status, coding: header(response, "content-encoding") }).toEqual({
		status: 206,
		coding: "gzip",
	});
	// fetch() unpacks it.
	expectBytes(await bytesOf(response), zip.subarray(100_000));
});

test("a portal, a pointer, and an expired signature stand in the file's place", async () => {
	const portal = await spoiltRest({ kind: "portal" });
	expect([portal.status, header(portal, "content-type")]).toEqual([200, "text/html"]);
	const pointer = await spoiltRest({ kind: "pointer" });
	expect(await pointer.text()).toMatch(/^version https:\/\/git-lfs\S+\noid sha256:[0-9a-f]{64}\nsize 300000\n$/);
	const expired = await spoiltRest({ kind: "expired" });
	expect([expired.status, await expired.text()]).toEqual([403, expect.stringContaining("AccessDenied")]);
	expect((await hub.counters()).paths[ZIP]?.ranges).toEqual([]);
});

test("a body that ends early is shorter than announced", async () => {
	const response = await spoiltRest({ kind: "end-early", bytes: 1000 });
	expect(header(response, "content-length")).toBe("200000");
	await expect(bytesOf(response)).rejects.toThrow();
});

test("a request that hangs gets no answer", async () => {
	const url = await signedUrl();
	await hub.faults([{ match: { route: "cdn" }, times: 1, kind: "hang" }]);
	await expect(get(url, { signal: AbortSignal.timeout(200) })).rejects.toThrow();
	expectBytes(await bytesOf(await get(url)), zip);
});

test("some requests may pass before a fault's turn comes", async () => {
	await hub.faults([{ match: { route: "info" }, after: 2, times: 1, kind: "status", status: 500 }]);
	const statuses: number[] = [];
	for (let n = 0; n < 4; n++) statuses.push((await get(`${hub.endpoint}/api/datasets/${NAME}`)).status);
	expect(statuses).toEqual([200, 200, 500, 200]);
	expect((await hub.counters()).faults).toEqual({ "500": 1 });
});

test("by chance, faults come at the rate asked for, the same for the same seed", async () => {
	const draw = async (seed: string): Promise<number[]> => {
		await hub.chance({ rate: 0.3, seed });
		const statuses: number[] = [];
		for (let n = 0; n < 60; n++) {
			const response = await get(`${hub.endpoint}/datasets/${NAME}/resolve/main/${ZIP}`, {
				method: "HEAD",
				signal: AbortSignal.timeout(250),
			}).catch(() => null);
			statuses.push(response?.status ?? 0);
		}
		return statuses;
	};
	const first = await draw("one");
	expect(await draw("one")).toEqual(first);
	expect(await draw("two")).not.toEqual(first);
	const met = first.filter((status) => status !== 302).length;
	expect(met).toBeGreaterThan(8);
	expect(met).toBeLessThan(30);
	await hub.chance({ rate: 0 });
	await hub.reset();
	for (let n = 0; n < 20; n++) await signedUrl();
	expect((await hub.counters()).faults).toEqual({});
}, 60_000);
