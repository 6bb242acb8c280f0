import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createHubSource, type HubSourceOptions } from "../../../infra/adapters/sources/hub/source.js";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import type { Source, SourceFile } from "../../../pipelines/ports/source.js";
import { tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";

const ZIP = randomBytes(3 << 20);
const WANTED = { shards: ["train_1", "train_2", "test_1"], splits: ["train" as const] };
const never = new AbortController().signal;

let folder: ReturnType<typeof tempDir>;
let cleanup: (() => Promise<void>)[];
let waits: number[];

function put(path: string, content: Buffer | string): void {
	const target = join(folder.path, path);
	mkdirSync(dirname(target), { recursive: true });
	writeFileSync(`${target}.new`, content);
	renameSync(`${target}.new`, target);
}

beforeEach(() => {
	folder = tempDir("hub");
	cleanup = [async () => folder.remove()];
	waits = [];
	put("images/train/train_1.zip", ZIP);
	put("images/train/train_2.zip", "another");
	put("images/train/extra.zip", "unknown");
	put("metadata-train.parquet", "metadata");
	put("README.md", "a small file outside of LFS\n");
});

afterEach(async () => {
	for (const end of cleanup.reverse()) await end();
});

async function hub(options: Parameters<typeof startHub>[1] = {}): Promise<HubHandle> {
	const handle = await startHub(folder.path, options);
	cleanup.push(handle.stop);
	return handle;
}

/** A server of the test's own, for what no Hub does. */
async function server(listener: RequestListener): Promise<string> {
	const http = createServer(listener).listen(0, "127.0.0.1");
	await once(http, "listening");
	cleanup.push(async () => {
		http.closeAllConnections();
		await new Promise((resolve) => http.close(resolve));
	});
	return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

/** Time passes only while somebody waits, and at once; how long is written down. */
function open(endpoint: string, options: Partial<HubSourceOptions> = {}): Source {
	const source = createHubSource({
		repo: imageRewardDb.repo,
		revision: "main",
		endpoint,
		token: null,
		dataset: imageRewardDb,
		clock: {
			now: () => waits.reduce((sum, seconds) => sum + seconds, 0),
			sleep: async (seconds) => {
				waits.push(seconds);
			},
		},
		note: () => undefined,
		...options,
	});
	cleanup.push(() => source.close());
	return source;
}

async function bytes(source: Source, file: SourceFile, offset = 0, restart = () => {}): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of source.read(file, offset, never, restart)) {
		// A buffer is valid until the next one is asked for.
		chunks.push(Buffer.from(chunk));
	}
	return Buffer.concat(chunks);
}

async function zipOf(source: Source): Promise<SourceFile> {
	const input = (await source.list(WANTED, never)).shards.get("train_1");
	if (input?.form !== "zip") throw new Error("train_1 is not listed as a zip");
	return input.file;
}

describe("the listing", () => {
	test("pins the commit, takes LFS hashes, and names what it does not know", async () => {
		const { endpoint, commit, counters } = await hub();
		const listing = await open(endpoint).list(WANTED, never);
		expect(listing).toMatchObject({
			uri: "hf://zai-org/ImageRewardDB@main",
			revision: "main",
			commit,
			committedAt: "2024-03-04T05:06:07Z",
			explicitCommit: false,
			unknownZips: ["images/train/extra.zip"],
		});
		expect([...listing.shards.keys()]).toEqual(["train_1", "train_2"]);
		expect(listing.shards.get("train_1")).toMatchObject({ form: "zip", bytes: ZIP.length });
		expect([...listing.metadata.keys()]).toEqual(["train"]);
		expect((await counters()).api.requests).toBe(2);
	});

	test("of the dataset's former name bears the present one, at one request more", async () => {
		const { endpoint, counters } = await hub();
		const source = open(endpoint, { repo: "THUDM/ImageRewardDB" });
		expect((await source.list(WANTED, never)).uri).toBe("hf://zai-org/ImageRewardDB@main");
		expect((await counters()).api.requests).toBe(3);
	});

	test("of a commit that the user named says so", async () => {
		const { endpoint, commit } = await hub();
		const listing = await open(endpoint, { revision: commit }).list(WANTED, never);
		expect(listing).toMatchObject({ commit, explicitCommit: true });
	});

	test("is whole however many pages it takes, one of them failing at first", async () => {
		const { endpoint, faults, counters } = await hub({ pageSize: 2 });
		await faults([{ match: { route: "tree" }, times: 2, kind: "status", status: 503 }]);
		const listing = await open(endpoint).list(WANTED, never);
		expect(listing.shards.size + listing.metadata.size + listing.unknownZips.length).toBe(4);
		expect((await counters()).api.statuses["503"]).toBe(2);
		expect(waits.map(Math.floor)).toEqual([1, 2]);
	});

	test("is never partial: a page that keeps failing fails it", async () => {
		let tries = 0;
		const endpoint = await server((request, response) => {
			response.setHeader("content-type", "application/json");
			if (request.url?.includes("/revision/")) {
				response.end(
					JSON.stringify({ id: imageRewardDb.repo, sha: "a".repeat(40), lastModified: "2024-03-04T05:06:07.000Z" }),
				);
			} else if (request.url?.includes("page2")) {
				tries++;
				response.writeHead(500).end();
			} else {
				response.setHeader("link", `<${endpoint}/page2>; rel="next"`);
				response.end("[]");
			}
		});
		await expect(open(endpoint).list(WANTED, never)).rejects.toMatchObject({ code: "HUB_UNAVAILABLE", exit: 1 });
		expect(tries).toBe(6);
		expect(
			waits.map((seconds, n) => seconds / ([1, 2, 4, 8, 8][n] ?? 0)).filter((f) => f >= 1 && f <= 1.25),
		).toHaveLength(5);
	});

	test("does not follow a next page to another host, where the token would go", async () => {
		const strangers: unknown[] = [];
		const stranger = await server((request, response) => {
			strangers.push(request.headers);
			response.end("[]");
		});
		const endpoint = await server((request, response) => {
			if (!request.url?.includes("/revision/")) response.setHeader("link", `<${stranger}/page2>; rel="next"`);
			const info = { id: imageRewardDb.repo, sha: "a".repeat(40), lastModified: "2024-03-04T05:06:07.000Z" };
			response.end(request.url?.includes("/revision/") ? JSON.stringify(info) : "[]");
		});
		await expect(open(endpoint, { token: "hf_secret" }).list(WANTED, never)).rejects.toMatchObject({
			code: "HUB_REDIRECT_REFUSED",
		});
		expect(strangers).toEqual([]);
	});

	test("with a shard outside of LFS is refused: its bytes could not be checked", async () => {
		const entry = { type: "file", path: "images/train/train_1.zip", size: 5, oid: "b".repeat(40) };
		const info = { id: imageRewardDb.repo, sha: "a".repeat(40), lastModified: "2024-03-04T05:06:07.000Z" };
		const endpoint = await server((request, response) => {
			response.end(JSON.stringify(request.url?.includes("/revision/") ? info : [entry]));
		});
		await expect(open(endpoint).list(WANTED, never)).rejects.toMatchObject({
			code: "HUB_NO_HASH",
			path: "images/train/train_1.zip",
		});
	});
});

describe("what the Hub refuses is told apart and not tried again", () => {
	test.each([
		["a gated dataset", { gated: true }, {}, "HUB_GATED"],
		["a gated dataset and a token without access", { gated: true }, { token: "hf_stranger" }, "HUB_GATED"],
		["a private dataset", { private: true, token: "hf_right" }, {}, "HUB_NOT_FOUND"],
		["a missing dataset", {}, { repo: "zai-org/Nothing" }, "HUB_NOT_FOUND"],
		["a mistyped revision", {}, { revision: "mian" }, "HUB_REVISION_NOT_FOUND"],
		["an invalid token", { token: "hf_right" }, { token: "hf_wrong" }, "HUB_TOKEN_INVALID"],
		["a disabled dataset", { disabled: true }, {}, "HUB_DISABLED"],
	])("%s", async (_, hubOptions, options, code) => {
		const { endpoint } = await hub(hubOptions);
		const error = await open(endpoint, options)
			.list(WANTED, never)
			.catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({ code, exit: 2, retry: false });
		expect(String(error)).not.toMatch(/hf_/);
		expect(waits).toEqual([]);
	});

	test.each([
		["a web page", "text/html", "<html>Log in to the Wi-Fi</html>"],
		["JSON of another kind", "application/json", '{"status":"ok"}'],
	])("%s is not the Hub", async (_, type, body) => {
		const endpoint = await server((_request, response) => response.setHeader("content-type", type).end(body));
		await expect(open(endpoint).list(WANTED, never)).rejects.toMatchObject({ code: "HUB_NOT_THE_HUB", exit: 2 });
	});
});

test("a refusal with a time to wait is obeyed to the second, and costs no retry", async () => {
	const { endpoint, faults } = await hub();
	const headers = { RateLimit: '"api";r=0;t=55' };
	await faults([{ match: { route: "info" }, times: 7, kind: "status", status: 429, headers }]);
	await open(endpoint).list(WANTED, never);
	expect(waits).toEqual(Array(7).fill(56));
});

test("fault 7: while a host wants no request, none of another download's goes there either, and all go on together", async () => {
	const { endpoint, faults, counters } = await hub();
	const waiting: { seconds: number; end: () => void }[] = [];
	let now = 0;
	const clock = {
		now: () => now,
		sleep: (seconds: number) => new Promise<void>((end) => waiting.push({ seconds, end })),
	};
	const source = open(endpoint, { clock });
	const listing = await source.list({ shards: ["train_1", "train_2"], splits: [] }, never);
	const files = [...listing.shards.values()].flatMap((input) => (input.form === "zip" ? [input.file] : []));
	const [one, other] = files as [SourceFile, SourceFile];
	const headers = { RateLimit: '"resolvers";r=0;t=9' };
	await faults([{ match: { route: "resolve", path: one.path }, times: 1, kind: "status", status: 429, headers }]);
	await expect(bytes(source, one)).rejects.toMatchObject({ code: "HUB_RATE_LIMITED", waitSeconds: 10 });
	const before = (await counters()).api.requests;
	const held = bytes(source, other);
	now = 4;
	const heldToo = bytes(source, one);
	expect(waiting.map(({ seconds }) => seconds)).toEqual([10, 6]);
	expect((await counters()).api.requests).toBe(before);
	now = 10;
	for (const { end } of waiting.splice(0)) end();
	expect((await held).toString()).toBe("another");
	expect((await heldToo).equals(ZIP)).toBe(true);
	expect(waiting).toEqual([]);
});

test("an abort ends a wait at once", async () => {
	const { endpoint, faults } = await hub();
	await faults([
		{ match: { route: "info" }, times: 1, kind: "status", status: 503, headers: { "Retry-After": "600" } },
	]);
	const abort = new AbortController();
	const clock = {
		now: () => 0,
		sleep: (seconds: number, signal: AbortSignal) => {
			const sleeping = wait(seconds * 1000, undefined, { signal });
			abort.abort(new Error("interrupted"));
			return sleeping;
		},
	};
	await expect(open(endpoint, { clock }).list(WANTED, abort.signal)).rejects.toThrow();
});

describe("reading", () => {
	test("follows the former name's relative and the file store's absolute redirect, and keeps the token from the store", async () => {
		const { endpoint, counters, commit } = await hub({ token: "hf_right" });
		const file = await zipOf(open(endpoint, { token: "hf_right" }));
		const byOldName = open(endpoint, { repo: "THUDM/ImageRewardDB", revision: commit, token: "hf_right" });
		expect((await bytes(byOldName, file)).equals(ZIP)).toBe(true);
		const { authorization_at_cdn, routes, cdn } = await counters();
		expect({ authorization_at_cdn, renamed: routes.renamed, cdn: cdn.requests }).toEqual({
			authorization_at_cdn: 0,
			renamed: 1,
			cdn: 1,
		});
	});

	test("begins at the byte asked for", async () => {
		const { endpoint, counters } = await hub();
		const source = open(endpoint);
		const file = await zipOf(source);
		expect((await bytes(source, file, 1_000_001)).equals(ZIP.subarray(1_000_001))).toBe(true);
		expect((await counters()).paths[file.path]?.ranges).toEqual([[1_000_001, ZIP.length]]);
	});

	test("stays at the pinned commit while the branch moves", async () => {
		const { endpoint, reload, commit } = await hub();
		const source = open(endpoint);
		const file = await zipOf(source);
		put("images/train/train_1.zip", randomBytes(1 << 20));
		expect(await reload()).not.toBe(commit);
		expect((await bytes(source, file)).equals(ZIP)).toBe(true);
		expect((await source.list(WANTED, never)).commit).toBe(commit);
	});

	test("asks anew when a signed address has run out, once", async () => {
		const { endpoint, faults, counters } = await hub();
		const source = open(endpoint);
		const file = await zipOf(source);
		await faults([{ match: { route: "cdn" }, times: 1, kind: "status", status: 403 }]);
		expect((await bytes(source, file)).equals(ZIP)).toBe(true);
		await faults([{ match: { route: "cdn" }, times: 2, kind: "status", status: 403 }]);
		const error = await bytes(source, file).catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({ code: "HUB_UNAVAILABLE", retry: true });
		expect(String(error)).not.toMatch(/\?|sign=/i);
		expect((await counters()).paths[file.path]?.gets).toBe(4);
	});

	test.each([
		["a body that ends early, cleanly", { kind: "truncate", bytes: 1 << 20 }],
		["a reset", { kind: "reset-after", bytes: 1 << 20 }],
		["a stall", { kind: "stall-after", bytes: 1 << 20 }],
		["a server error", { kind: "status", status: 500 }],
	] as const)("%s can be retried", async (_, fault) => {
		const { endpoint, faults } = await hub();
		const source = open(endpoint, { idleSeconds: 0.3 });
		const file = await zipOf(source);
		await faults([{ match: { route: "cdn" }, times: 1, ...fault }]);
		await expect(bytes(source, file)).rejects.toMatchObject({ code: "HUB_UNAVAILABLE", retry: true, path: file.path });
	});

	test("a listed file that is gone is an error of its own", async () => {
		const { endpoint, faults } = await hub();
		const source = open(endpoint);
		const file = await zipOf(source);
		const headers = { "X-Error-Code": "EntryNotFound" };
		await faults([{ match: { route: "resolve" }, times: 1, kind: "status", status: 404, headers }]);
		await expect(bytes(source, file)).rejects.toMatchObject({ code: "HUB_ENTRY_NOT_FOUND", retry: false });
	});

	const commit = "a".repeat(40);
	const file = { path: "images/train/train_1.zip", bytes: 10, sha256: "b".repeat(64), gitOid: null };

	test("an answer from the beginning to a request for the rest says so before its first byte", async () => {
		const endpoint = await server((_request, response) =>
			response.setHeader("x-repo-commit", commit).end("0123456789"),
		);
		let restarts = 0;
		const source = open(endpoint, { revision: commit });
		const found = await bytes(source, file, 4, () => {
			restarts++;
		});
		expect({ text: found.toString(), restarts }).toEqual({ text: "0123456789", restarts: 1 });
	});

	test.each([
		["another hash", { "x-repo-commit": commit, "x-linked-etag": `"${"c".repeat(64)}"` }, "SOURCE_CHANGED"],
		["another size", { "x-repo-commit": commit, "x-linked-size": "11" }, "SOURCE_CHANGED"],
		["another commit", { "x-repo-commit": "d".repeat(40) }, "SOURCE_CHANGED"],
		["no commit", {}, "HUB_NOT_THE_HUB"],
		["a web page", { "x-repo-commit": commit, "content-type": "text/html" }, "HUB_NOT_THE_HUB"],
		["compressed bytes", { "x-repo-commit": commit, "content-encoding": "gzip" }, "HUB_UNAVAILABLE"],
	])("an answer with %s gives no byte", async (_, headers, code) => {
		const endpoint = await server((_request, response) => response.writeHead(200, { ...headers }).end("0123456789"));
		await expect(bytes(open(endpoint, { revision: commit }), file)).rejects.toMatchObject({ code });
	});

	test("another range than asked for is refused", async () => {
		const headers = { "x-repo-commit": commit, "content-range": "bytes 3-9/10" };
		const endpoint = await server((_request, response) => response.writeHead(206, headers).end("3456789"));
		await expect(bytes(open(endpoint, { revision: commit }), file, 4)).rejects.toMatchObject({
			code: "HUB_UNAVAILABLE",
		});
	});

	test("redirects without end are given up", async () => {
		const endpoint = await server((_request, response) => response.writeHead(302, { location: "/again" }).end());
		await expect(bytes(open(endpoint, { revision: commit }), file)).rejects.toMatchObject({
			code: "HUB_REDIRECT_REFUSED",
		});
	});
});
