import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";

const NAME = "zai-org/ImageRewardDB";
const OLD = "THUDM/ImageRewardDB";
const ZIP = "images/train/train_1.zip";
const zip = randomBytes(300_000);
const FILES: Record<string, Buffer> = {
	"README.md": Buffer.from("hello\n"),
	[ZIP]: zip,
	"images/train/train_2.zip": randomBytes(1000),
	"images/test/test_1.zip": randomBytes(1000),
	"metadata-train.parquet": randomBytes(500),
};
const EVERY_PATH = ["README.md", "images", "images/test", "images/test/test_1.zip", "images/train", ZIP].concat([
	"images/train/train_2.zip",
	"metadata-train.parquet",
]);

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const folder = tempDir("hub");
const running: HubHandle[] = [];

/** As the tests of the product do it: a new file takes the old one's name. */
function put(path: string, bytes: Buffer): void {
	mkdirSync(dirname(join(folder.path, path)), { recursive: true });
	writeFileSync(join(folder.path, `${path}.new`), bytes);
	renameSync(join(folder.path, `${path}.new`), join(folder.path, path));
}

async function start(options: Parameters<typeof startHub>[1] = {}): Promise<HubHandle> {
	const hub = await startHub(folder.path, options);
	running.push(hub);
	return hub;
}

const get = (url: string, init: RequestInit = {}) => fetch(url, { redirect: "manual", ...init });
const head = (url: string) => get(url, { method: "HEAD" });
const resolveUrl = (hub: HubHandle, path: string, rev = "main", name = NAME) =>
	`${hub.endpoint}/datasets/${name}/resolve/${rev}/${path}`;
const header = (response: Response, name: string): string => response.headers.get(name) ?? "";
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const signedUrl = async (hub: HubHandle, path: string) => header(await head(resolveUrl(hub, path)), "location");

/** By hash: comparing large buffers element by element takes seconds. */
function expectBytes(got: Buffer, wanted: Uint8Array | undefined): void {
	expect([got.length, sha256(got)]).toEqual([wanted?.length, sha256(wanted ?? Buffer.alloc(0))]);
}

beforeAll(() => {
	for (const [path, bytes] of Object.entries(FILES)) put(path, bytes);
});
afterEach(async () => {
	await Promise.all(running.splice(0).map((hub) => hub.stop()));
});
afterAll(folder.remove);

describe("listing", () => {
	test("pages of the tree, followed by Link, give every entry once", async () => {
		const hub = await start({ pageSize: 3 });
		const paths: string[] = [];
		let pages = 0;
		let next = `${hub.endpoint}/api/datasets/${NAME}/tree/main?recursive=true`;
		while (next !== "") {
			const response = await get(next);
			const page = (await response.json()) as { path: string }[];
			expect(page.length).toBeLessThanOrEqual(3);
			paths.push(...page.map((entry) => entry.path));
			next = /^<([^>]+)>; rel="next"$/.exec(header(response, "link"))?.[1] ?? "";
			pages++;
		}
		expect(paths).toEqual(EVERY_PATH);
		expect(pages).toBe(3);
	});

	test("a folder's listing holds its own children only, with git's and LFS's hashes", async () => {
		const hub = await start();
		const tree = `${hub.endpoint}/api/datasets/${NAME}/tree/${hub.commit}`;
		const train = (await (await get(`${tree}/images/train`)).json()) as object[];
		expect(train).toEqual([
			expect.objectContaining({
				type: "file",
				path: ZIP,
				size: zip.length,
				lfs: { oid: sha256(zip), size: zip.length, pointerSize: 131 },
			}),
			expect.objectContaining({ path: "images/train/train_2.zip" }),
		]);
		const top = (await (await get(tree)).json()) as { path: string; oid: string }[];
		expect(top.map((entry) => entry.path)).toEqual(["README.md", "images", "metadata-train.parquet"]);
		// What `printf 'hello\n' | git hash-object --stdin` prints.
		expect(top[0]).toEqual({
			type: "file",
			path: "README.md",
			size: 6,
			oid: "ce013625030ba8dba906f756967f9e9ca394464a",
		});
	});

	test("info names the commit and its date; sizes and hashes come with blobs=true", async () => {
		const hub = await start({ date: "2025-01-02T03:04:05.000Z" });
		const info = `${hub.endpoint}/api/datasets/${NAME}`;
		const plain = (await (await get(info)).json()) as { siblings: object[] };
		expect(plain).toMatchObject({ id: NAME, sha: hub.commit, lastModified: "2025-01-02T03:04:05.000Z" });
		expect(plain).toMatchObject({ gated: false, private: false, disabled: false });
		expect(plain.siblings[1]).toEqual({ rfilename: "images/test/test_1.zip" });
		const full = (await (await get(`${info}/revision/${hub.commit}?blobs=true`)).json()) as { siblings: object[] };
		const pointerSize = 131;
		expect(full.siblings[2]).toMatchObject({
			rfilename: ZIP,
			size: zip.length,
			lfs: { sha256: sha256(zip), size: zip.length, pointerSize },
		});
	});

	test("paths-info takes JSON and forms, and leaves out what does not exist", async () => {
		const hub = await start();
		const url = `${hub.endpoint}/api/datasets/${NAME}/paths-info/main`;
		const ask = async (type: string, body: string) => {
			const response = await get(url, { method: "POST", headers: { "content-type": type }, body });
			return ((await response.json()) as { path: string }[]).map((entry) => entry.path);
		};
		const paths = [ZIP, "nowhere.zip", "images"];
		expect(await ask("application/json", JSON.stringify({ paths, expand: true }))).toEqual([ZIP, "images"]);
		const form = new URLSearchParams(paths.map((path): [string, string] => ["paths", path]));
		expect(await ask("application/x-www-form-urlencoded", form.toString())).toEqual([ZIP, "images"]);
	});
});

describe("files", () => {
	test("the old name leads to the new one by a relative 307, on API and resolve alike", async () => {
		const hub = await start();
		for (const [before, after, rest] of [
			[`/api/datasets/${OLD}`, `/api/datasets/${NAME}`, "/tree/main?recursive=true"],
			[`/datasets/${OLD}`, `/datasets/${NAME}`, `/resolve/main/${ZIP}`],
		]) {
			const response = await get(`${hub.endpoint}${before}${rest}`);
			expect(response.status).toBe(307);
			expect(header(response, "location")).toBe(`${after}${rest}`);
		}
	});

	test("HEAD of an LFS file is an absolute 302 with the file's hash and size, not with the redirect's", async () => {
		const hub = await start();
		const response = await head(resolveUrl(hub, ZIP));
		expect(response.status).toBe(302);
		expect(Object.fromEntries(response.headers)).toMatchObject({
			"x-repo-commit": hub.commit,
			"x-linked-etag": `"${sha256(zip)}"`,
			"x-linked-size": String(zip.length),
			"accept-ranges": "bytes",
			ratelimit: expect.stringMatching(/^"resolvers";r=\d+;t=\d+$/),
			"ratelimit-policy": '"fixed window";"resolvers";q=3000;w=300',
			"x-request-id": expect.stringMatching(/^Root=/),
		});
		expect(response.headers.get("etag")).toBeNull();
		expect(Number(header(response, "content-length"))).toBeLessThan(zip.length);
		expect(new URL(header(response, "location")).origin).toBe(hub.cdn);
	});

	test("the CDN serves the bytes under a tag that is not their hash", async () => {
		const hub = await start();
		const response = await get(await signedUrl(hub, ZIP));
		expect(response.status).toBe(200);
		expect(header(response, "etag")).not.toContain(sha256(zip));
		expectBytes(await bytesOf(response), zip);
	});

	test("a small file comes by a relative 307 from the same origin, with git's hash as its tag", async () => {
		const hub = await start();
		const response = await head(resolveUrl(hub, "README.md"));
		expect(response.status).toBe(307);
		const place = header(response, "location");
		expect(place.startsWith(`/api/resolve-cache/datasets/${NAME}/${hub.commit}/README.md?`)).toBe(true);
		const file = await get(hub.endpoint + place);
		expect(header(file, "etag")).toBe('"ce013625030ba8dba906f756967f9e9ca394464a"');
		expect(header(file, "x-repo-commit")).toBe(hub.commit);
		expect(await file.text()).toBe("hello\n");
		const again = await get(hub.endpoint + place, { headers: { "if-none-match": header(file, "etag") } });
		expect(again.status).toBe(304);
	});

	test("the CDN refuses an address that is expired, altered, or another file's", async () => {
		const hub = await start();
		const good = new URL(await signedUrl(hub, ZIP));
		const later = new URL(good);
		later.searchParams.set("Expires", "9999999999");
		const other = new URL(good);
		other.pathname = new URL(await signedUrl(hub, "images/test/test_1.zip")).pathname;
		const bare = new URL(good.pathname, good);
		for (const url of [later, other, bare]) expect((await get(url.href)).status).toBe(403);
		const expiring = await start({ signatureSeconds: 0 });
		expect((await get(await signedUrl(expiring, ZIP))).status).toBe(403);
	});

	test.each([
		["bytes=0-9", 206, "bytes 0-9/1000", 0, 10],
		["bytes=990-", 206, "bytes 990-999/1000", 990, 1000],
		["bytes=990-5000", 206, "bytes 990-999/1000", 990, 1000],
		["bytes=-10", 206, "bytes 990-999/1000", 990, 1000],
		["bytes=-5000", 206, "bytes 0-999/1000", 0, 1000],
		["bytes=1000-", 416, "bytes */1000", 0, 0],
		["bytes=-0", 416, "bytes */1000", 0, 0],
		["bytes=9-0", 200, "", 0, 1000],
		["bytes=0-1,5-6", 200, "", 0, 1000],
	])("range %s is answered with %d", async (range, status, contentRange, first, end) => {
		const hub = await start();
		const path = "images/test/test_1.zip";
		const response = await get(await signedUrl(hub, path), { headers: { range } });
		expect(response.status).toBe(status);
		expect(header(response, "content-range")).toBe(contentRange);
		expectBytes(await bytesOf(response), FILES[path]?.subarray(first, end));
	});

	test("after a reload main is a new commit, and the old commit still serves the replaced bytes", async () => {
		const hub = await start();
		const before = FILES["images/train/train_2.zip"] as Buffer;
		const after = randomBytes(777);
		try {
			put("images/train/train_2.zip", after);
			const commit = await hub.reload("2026-05-06T07:08:09.000Z");
			expect(commit).not.toBe(hub.commit);
			const fetchAt = async (rev: string) => bytesOf(await fetch(resolveUrl(hub, "images/train/train_2.zip", rev)));
			expectBytes(await fetchAt("main"), after);
			expectBytes(await fetchAt(hub.commit), before);
			const log = (await (await get(`${hub.endpoint}/api/datasets/${NAME}/commits/main`)).json()) as object[];
			expect(log).toMatchObject([{ id: commit, date: "2026-05-06T07:08:09.000Z" }, { id: hub.commit }]);
		} finally {
			put("images/train/train_2.zip", before);
		}
		expect(await hub.reload()).toBe(hub.commit);
		expect((await start()).commit).toBe(hub.commit);
	});
});

describe("refusals", () => {
	const zipOf = (hub: HubHandle) => resolveUrl(hub, ZIP);
	const infoOf = (hub: HubHandle) => `${hub.endpoint}/api/datasets/${NAME}`;
	const codeOf = (response: Response) => [response.status, response.headers.get("x-error-code")];
	const auth = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

	test("a missing revision, file and repo have their codes", async () => {
		const hub = await start();
		expect(codeOf(await get(`${infoOf(hub)}/revision/v9`))).toEqual([404, "RevisionNotFound"]);
		expect(codeOf(await head(resolveUrl(hub, ZIP, "v9")))).toEqual([404, "RevisionNotFound"]);
		const missing = await head(resolveUrl(hub, "nowhere.zip"));
		expect(codeOf(missing)).toEqual([404, "EntryNotFound"]);
		expect(header(missing, "x-repo-commit")).toBe(hub.commit);
		expect(codeOf(await get(`${infoOf(hub)}/tree/main/nowhere`))).toEqual([404, "EntryNotFound"]);
		const other = `${hub.endpoint}/api/datasets/nobody/nothing`;
		expect(codeOf(await get(other))).toEqual([401, "RepoNotFound"]);
		expect(codeOf(await get(other, auth("any")))).toEqual([404, "RepoNotFound"]);
	});

	test("a token is required everywhere but at the CDN, which counts those who bring it", async () => {
		const hub = await start({ token: "right" });
		for (const url of [infoOf(hub), `${infoOf(hub)}/tree/main`, zipOf(hub)]) {
			expect(codeOf(await get(url))).toEqual([401, "RepoNotFound"]);
			const wrong = await get(url, auth("wrong"));
			expect(wrong.status).toBe(401);
			expect(header(wrong, "x-error-message")).toBe("Invalid credentials in Authorization header");
			expect((await get(url, auth("right"))).status).toBeLessThan(400);
		}
		const signed = header(await get(zipOf(hub), auth("right")), "location");
		expectBytes(await bytesOf(await get(signed)), zip);
		expect((await hub.counters()).authorization_at_cdn).toBe(0);
		await bytesOf(await get(signed, auth("right")));
		expect((await hub.counters()).authorization_at_cdn).toBe(1);
	});

	test("a gated repo shows its listing to all and its files to the token alone", async () => {
		const hub = await start({ gated: true, token: "right" });
		expect(await (await get(infoOf(hub))).json()).toMatchObject({ gated: "auto" });
		expect(codeOf(await get(zipOf(hub)))).toEqual([401, "GatedRepo"]);
		expect((await get(zipOf(hub), auth("right"))).status).toBe(302);
		const closed = await start({ gated: true });
		expect(codeOf(await get(zipOf(closed), auth("any")))).toEqual([403, "GatedRepo"]);
	});

	test("private is the same as missing, disabled is said", async () => {
		const hidden = await start({ private: true });
		expect(codeOf(await get(infoOf(hidden)))).toEqual([401, "RepoNotFound"]);
		expect(codeOf(await get(infoOf(hidden), auth("any")))).toEqual([404, "RepoNotFound"]);
		const disabled = await start({ disabled: true });
		const response = await get(infoOf(disabled));
		expect(response.status).toBe(403);
		expect(header(response, "x-error-message")).toBe("Access to this resource is disabled.");
	});
});

describe("counters", () => {
	test("every request, byte and range is counted once, and a reset forgets them", async () => {
		const hub = await start();
		const url = await signedUrl(hub, ZIP);
		await bytesOf(await get(url, { headers: { range: "bytes=100-199" } }));
		await bytesOf(await get(url));
		await head(url);
		await (await get(resolveUrl(hub, ZIP, "main", OLD))).text();
		const tree = await bytesOf(await get(`${hub.endpoint}/api/datasets/${NAME}/tree/main`));
		const renamed = Buffer.byteLength(`Temporary Redirect. Redirecting to /datasets/${NAME}/resolve/main/${ZIP}`);
		const { cpu_seconds, ...counters } = await hub.counters();
		expect(counters).toEqual({
			api: {
				requests: 3,
				methods: { HEAD: 1, GET: 2 },
				statuses: { "302": 1, "307": 1, "200": 1 },
				bytes: tree.length + renamed,
			},
			cdn: {
				requests: 3,
				methods: { GET: 2, HEAD: 1 },
				statuses: { "206": 1, "200": 2 },
				bytes: zip.length + 100,
			},
			routes: { resolve_head: 1, cdn_get: 2, cdn_head: 1, renamed: 1, tree: 1 },
			paths: {
				[ZIP]: {
					heads: 1,
					gets: 0,
					downloads: 2,
					bytes: zip.length + 100,
					ranges: [
						[100, 200],
						[0, zip.length],
					],
					spoilt: [null, null],
				},
			},
			faults: {},
			authorization_at_cdn: 0,
		});
		expect(cpu_seconds.user).toBeGreaterThan(0);
		await hub.reset();
		expect(await hub.counters()).toMatchObject({ api: { requests: 0 }, cdn: { requests: 0 }, routes: {}, paths: {} });
	});
});

describe("the process", () => {
	test("a limit in bytes per second holds", async () => {
		const hub = await start({ bytesPerSecond: 1_000_000 });
		const url = await signedUrl(hub, ZIP);
		const began = performance.now();
		expectBytes(await bytesOf(await get(url)), zip);
		expect(performance.now() - began).toBeGreaterThan(280);
	});

	test("with --stdin it ends when its parent's end of the pipe closes", async () => {
		const program = join(import.meta.dirname, "../../tools/hub/main.js");
		const child = spawn(process.execPath, [program, folder.path, "--stdin"], { stdio: ["pipe", "pipe", "inherit"] });
		const exited = once(child, "exit");
		await once(child.stdout, "data");
		child.stdin.end();
		expect((await exited)[0]).toBe(0);
	});

	test("wrong usage ends with 2 and says how to use it", async () => {
		const program = join(import.meta.dirname, "../../tools/hub/main.js");
		const child = spawn(process.execPath, [program, "--no-such-option"], { stdio: ["ignore", "ignore", "pipe"] });
		let text = "";
		child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
			text += chunk;
		});
		expect((await once(child, "close"))[0]).toBe(2);
		expect(text).toContain("Usage: npm run -s hub");
	});
});
