import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { createImagePool, type ImagePoolOptions } from "../../../infra/adapters/images/pool/pool.js";
import { openSharp } from "../../../infra/adapters/images/sharp.js";
import type { ImagePool, ImageResult, ImageTask } from "../../../pipelines/ports/images.js";
import { DEFAULT_SETTINGS, type Settings } from "../../../schemas/settings.js";
import { testReal } from "../../support/real.js";
import { REAL_DATA, ROOT, tempDir } from "../../support/root.js";
import { pictureWebp } from "../../tools/sample/picture.js";
import { encodeVp8l } from "../../tools/sample/vp8l.js";
import { chunk, riff, withXmp } from "../../tools/sample/webp.js";

const FIXTURES = join(ROOT, "test/fixtures/images");
const POOL = new URL("../../../infra/adapters/images/pool/pool.js", import.meta.url).href;
const temp = tempDir("image-pool");
const { signal } = new AbortController();
const pools: ImagePool[] = [];
const pictures: string[] = [];

beforeAll(() => {
	const base = pictureWebp({ seed: "pool", size: 128, alpha: false });
	for (let i = 0; i < 60; i++) {
		const path = join(temp.path, `${i}.webp`);
		writeFileSync(path, withXmp(base, `picture ${i}`));
		pictures.push(path);
	}
});
afterEach(async () => {
	for (const pool of pools.splice(0)) await pool.close();
});
afterAll(temp.remove);

function open(options: Partial<ImagePoolOptions> = {}): ImagePool {
	const pool = createImagePool({ threads: 2, stage: null, ...options });
	pools.push(pool);
	return pool;
}

function taskOf(path: string, task: Partial<ImageTask> = {}): ImageTask {
	return {
		ref: { kind: "file", path, bytes: statSync(path).size },
		check: "image",
		format: "webp",
		keep: false,
		...task,
	};
}

function run(pool: ImagePool, path: string, task: Partial<ImageTask> = {}, settings: Partial<Settings> = {}) {
	return pool.run(taskOf(path, task), { ...DEFAULT_SETTINGS, ...settings }, signal);
}

/** Image hosts that this process has started. */
function hosts(parent = process.pid): number[] {
	const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
	return lines
		.map((line) => line.trim().split(/\s+/))
		.filter(([, ppid, ...args]) => Number(ppid) === parent && args.some((arg) => arg.endsWith("images/pool/host.js")))
		.map(([pid]) => Number(pid));
}

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");
const codes = (results: ImageResult[]) => results.map((result) => result.reject?.code ?? "OK");

/** Ends the host by `signal` each of the first `times` that it is ready, before it has answered anything. */
function killer(name: NodeJS.Signals, times: number): NonNullable<ImagePoolOptions["note"]> {
	let left = times;
	return (level) => {
		if (level !== "info" || left === 0) return;
		left -= 1;
		for (const pid of hosts()) process.kill(pid, name);
	};
}

test("every bad file has its code, every good one its hashes, and nothing is staged twice or by halves", async () => {
	const folder = join(temp.path, "stage");
	const pool = open({ stage: { kind: "folder", folder } });
	const files = readdirSync(FIXTURES).sort();
	const results = await Promise.all(files.map((file) => run(pool, join(FIXTURES, file), { keep: true })));
	const found = results.map((result) => result.reject?.code ?? result.warnings[0]?.code ?? "OK");
	expect(found).toEqual(files.map((file) => file.split(".")[1]));
	for (const [i, result] of results.entries()) {
		const content = readFileSync(join(FIXTURES, files[i] as string));
		expect(result).toMatchObject({ bytes: content.length, sha256: sha256(content) });
		expect(result.crc32).toMatch(/^[0-9a-f]{8}$/);
		if (result.image !== null) expect(readFileSync(join(folder, `${result.image.sha256}.webp`))).toEqual(content);
	}
	const kept = new Set(results.flatMap((result) => (result.image === null ? [] : [`${result.image.sha256}.webp`])));
	expect(readdirSync(folder).sort()).toEqual([...kept].sort());
});

testReal("the real images, from the pool", async () => {
	if (REAL_DATA === null) throw new Error("the folder of real data is absent");
	const pool = open();
	expect(await run(pool, join(REAL_DATA, "1.webp"))).toMatchObject({
		bytes: 336918,
		crc32: "08baee06",
		image: {
			width: 512,
			height: 512,
			pixel_sha256: "3a12cfae1178bbe40f98a6c309b190e3db6ba0cbcf7578bc8817dbac4a1bf1ca",
			dhash: "1cec0e833f9fa31f",
		},
	});
});

test("a hash is only a hash: what is no picture passes", async () => {
	const pool = open();
	const path = join(FIXTURES, "html.IMAGE_NOT_WEBP.webp");
	const result = await run(pool, path, { check: "hash" });
	expect(result).toMatchObject({ sha256: sha256(readFileSync(path)), reject: null, image: null });
});

test("--verify structure decodes nothing", async () => {
	const pool = open();
	const damaged = join(FIXTURES, "pixels-zeroed.IMAGE_UNDECODABLE.webp");
	const result = await run(pool, damaged, {}, { verify: "structure" });
	expect(result).toMatchObject({ reject: null, image: { width: 24, height: 20, pixel_sha256: null, dhash: null } });
});

test("a file over 64 MiB is too large, and hashed all the same", async () => {
	const path = join(temp.path, "large.webp");
	const content = Buffer.alloc(64 * 1024 * 1024 + 2);
	readFileSync(pictures[0] as string).copy(content);
	writeFileSync(path, content);
	const result = await run(open(), path);
	expect(result).toMatchObject({ bytes: content.length, sha256: sha256(content), reject: { code: "IMAGE_TOO_LARGE" } });
});

test("before the first image is sent, the one who stages is told", async () => {
	const told: string[] = [];
	const stage = { kind: "folder", folder: join(temp.path, "told/staged") } as const;
	const beginStaging = () => void told.push(existsSync(stage.folder) ? "too late" : "in time");
	const pool = open({ stage, beginStaging });
	expect(told).toEqual([]);
	await run(pool, pictures[0] ?? "", { keep: true });
	expect(told).toEqual(["in time"]);
});

describe("a host that dies", () => {
	test("by SIGKILL in mid-run: every image has its result", async () => {
		const pool = open();
		let done = 0;
		const results = await Promise.all(
			pictures.map(async (path) => {
				const result = await run(pool, path);
				done += 1;
				if (done === 10) for (const pid of hosts()) process.kill(pid, "SIGKILL");
				return result;
			}),
		);
		expect(new Set(codes(results))).toEqual(new Set(["OK"]));
		expect(results.map((result) => result.sha256)).toEqual(pictures.map((path) => sha256(readFileSync(path))));
	});

	test("three times by SIGKILL: no picture is blamed for it", async () => {
		const pool = open({ note: killer("SIGKILL", 3) });
		expect(codes(await Promise.all(pictures.slice(0, 5).map((path) => run(pool, path))))).toEqual(Array(5).fill("OK"));
	});

	test("by a crash, once alone: the arbiter gives the verdict", async () => {
		const pool = open({ note: killer("SIGSEGV", 2) });
		expect(codes(await Promise.all(pictures.slice(0, 5).map((path) => run(pool, path))))).toEqual(Array(5).fill("OK"));
	});

	test("by a crash whatever decodes: that picture is undecodable, its hashes are known, the others are good", async () => {
		const pool = open({ note: killer("SIGSEGV", 3) });
		const paths = pictures.slice(0, 5);
		const results = await Promise.all(paths.map((path) => run(pool, path)));
		expect(codes(results)).toEqual(["IMAGE_UNDECODABLE", "OK", "OK", "OK", "OK"]);
		expect(results[0]?.sha256).toBe(sha256(readFileSync(paths[0] as string)));
	});

	test("at every start: the run fails with IMAGE_HOST_FAILED, and starts anew when asked again", async () => {
		const pool = open();
		let failed = false;
		const result = run(pool, pictures[0] as string).finally(() => {
			failed = true;
		});
		const outcome = expect(result).rejects.toMatchObject({ code: "IMAGE_HOST_FAILED" });
		while (!failed) {
			for (const pid of hosts()) process.kill(pid, "SIGKILL");
			await new Promise(setImmediate);
		}
		await outcome;
		expect((await run(pool, pictures[0] as string)).reject).toBeNull();
	});
});

/**
 * A library that crashes the process which asks for as much memory as libwebp needs for the pixels of a picture of
 * 1013 × 1999, or up to 100 KB more. Null without a C compiler.
 */
function crashingLibrary(): string | null {
	const source = join(temp.path, "crash.c");
	const library = join(temp.path, "libcrash.so");
	const code = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
void *malloc(size_t size) {
	static void *(*next)(size_t);
	if (!next) next = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
	if (size >= 1013 * 1999 * 4 && size < 1013 * 1999 * 4 + 100000) abort();
	return next(size);
}
`;
	writeFileSync(source, code);
	try {
		execFileSync("cc", ["-shared", "-fPIC", "-o", library, source, "-ldl"], { stdio: "ignore" });
		return library;
	} catch {
		return null;
	}
}

const library = crashingLibrary();
(library === null ? test.skip : test)(
	"a picture that really crashes its decoder (needs a C compiler) is undecodable, the others are good",
	async () => {
		const path = join(temp.path, "crashes.webp");
		// Lossy: our own decoder leaves it to libwebp.
		const pixels = Buffer.alloc(1013 * 1999 * 3, Buffer.from([10, 20, 30, 200, 100, 50]));
		const raw = { width: 1013, height: 1999, channels: 3 } as const;
		const picture = openSharp(pixels, { raw }).webp();
		writeFileSync(path, await picture.toBuffer());
		const deaths: unknown[] = [];
		process.env.LD_PRELOAD = library as string;
		try {
			const pool = open({ note: (level, _, fields) => level === "warn" && deaths.push(fields?.signal) });
			const results = await Promise.all([...pictures.slice(0, 20), path].map((one) => run(pool, one)));
			expect(codes(results)).toEqual([...Array(20).fill("OK"), "IMAGE_UNDECODABLE"]);
			expect(results[20]?.sha256).toBe(sha256(readFileSync(path)));
		} finally {
			delete process.env.LD_PRELOAD;
		}
		// Among others, alone, and by the arbiter alone.
		expect(new Set(deaths)).toEqual(new Set(["SIGABRT"]));
		expect(deaths).toHaveLength(3);
	},
);

describe("what is no picture's fault is thrown", () => {
	test("a stage that cannot be written: LAKE_UNWRITABLE, with the object's path", async () => {
		const path = pictures[0] as string;
		const name = sha256(readFileSync(path));
		const folder = join(temp.path, "obstructed");
		mkdirSync(join(folder, `${name}.webp`), { recursive: true });
		const pool = open({ stage: { kind: "folder", folder } });
		await expect(run(pool, path, { keep: true })).rejects.toMatchObject({
			name: "LakeError",
			code: "LAKE_UNWRITABLE",
			path: `objects/sha256/${name.slice(0, 2)}/${name}.webp`,
			retry: true,
		});
	});

	test("a file that is gone: SOURCE_CHANGED", async () => {
		const ref = { kind: "file", path: join(temp.path, "gone.webp"), bytes: 100 } as const;
		const task: ImageTask = { ref, check: "image", format: "webp", keep: false };
		await expect(open().run(task, DEFAULT_SETTINGS, signal)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
	});
});

describe("what is not kept is not staged", () => {
	test("keep: false", async () => {
		const folder = join(temp.path, "unkept");
		mkdirSync(folder);
		const pool = open({ stage: { kind: "folder", folder } });
		expect((await run(pool, pictures[0] as string)).image).not.toBeNull();
		expect(readdirSync(folder)).toEqual([]);
	});
});

test("an aborted signal rejects with its reason, and leaves the pool usable", async () => {
	const pool = open();
	const controller = new AbortController();
	const reason = new Error("enough");
	const begun = pictures.map((path) => pool.run(taskOf(path), DEFAULT_SETTINGS, controller.signal));
	const settled = Promise.allSettled(begun);
	await Promise.race(begun);
	controller.abort(reason);
	const rejected = (await settled).filter((one) => one.status === "rejected");
	expect(rejected.length).toBeGreaterThan(0);
	expect(rejected.every((one) => one.reason === reason)).toBe(true);
	await expect(pool.run(taskOf(pictures[0] as string), DEFAULT_SETTINGS, controller.signal)).rejects.toBe(reason);
	expect((await run(pool, pictures[0] as string)).reject).toBeNull();
});

describe("the host's life", () => {
	test("close ends it", async () => {
		const pool = createImagePool({ threads: 1, stage: null });
		await run(pool, pictures[0] as string);
		const begun = hosts();
		expect(begun).toHaveLength(1);
		await pool.close();
		expect(hosts()).toEqual([]);
	});

	test("it takes no notice of the terminal's Ctrl-C", async () => {
		const pool = open();
		await run(pool, pictures[0] as string);
		const begun = hosts();
		for (const pid of begun) for (const name of ["SIGINT", "SIGTERM"] as const) process.kill(pid, name);
		expect((await run(pool, pictures[1] as string)).reject).toBeNull();
		expect(hosts()).toEqual(begun);
	});

	test("it ends when the process that started it is killed", async () => {
		const script = `
			const { createImagePool } = await import(${JSON.stringify(POOL)});
			const pool = createImagePool({ threads: 1, stage: null });
			const task = ${JSON.stringify(taskOf(pictures[0] as string))};
			await pool.run(task, ${JSON.stringify(DEFAULT_SETTINGS)}, new AbortController().signal);
			console.log("ready");
		`;
		const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		await once(createInterface(parent.stdout), "line");
		const [host] = hosts(parent.pid);
		if (host === undefined) throw new Error("no host was started");
		parent.kill("SIGKILL");
		await once(parent, "close");
		for (let alive = true; alive; ) {
			alive = existsSync(`/proc/${host}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${host}/status`, "utf8"));
			if (alive) await new Promise((resolve) => setTimeout(resolve, 10));
		}
	});

	test("it is given no token", async () => {
		process.env.HF_TOKEN = "hf_secret";
		try {
			await run(open(), pictures[0] as string);
			const [host] = hosts();
			expect(readFileSync(`/proc/${host}/environ`, "latin1")).not.toContain("hf_secret");
		} finally {
			delete process.env.HF_TOKEN;
		}
	});
});

describe("pictures of 64 megapixels are decoded one at a time: memory stays bounded", () => {
	const rgba = Buffer.from([0x20, 0x40, 0x60, 0xff]);
	const size = { width: 8000, height: 8000, channels: 3, background: "#204060" } as const;
	test.each([
		// One is 256 MB, and as much again while it is decoded.
		[
			"plain",
			700,
			async () =>
				riff([
					chunk(
						"VP8L",
						encodeVp8l(Buffer.alloc(8000 * 8000 * 4, rgba), 8000, 8000, () => 1),
					),
				]),
		],
		["colour-indexed", 700, () => openSharp({ create: size }).webp({ lossless: true, effort: 0 }).toBuffer()],
		// sharp holds a lossy one several times over.
		["lossy", 1000, () => openSharp({ create: size }).webp({ effort: 0 }).toBuffer()],
	] as const)("%s, below %i MB", async (name, most, make) => {
		const path = join(temp.path, `huge-${name}.webp`);
		writeFileSync(path, await make());
		const pool = open();
		const results = await Promise.all([1, 2, 3, 4].map(() => run(pool, path)));
		expect(codes(results)).toEqual(["OK", "OK", "OK", "OK"]);
		const peak = Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${hosts()[0]}/status`, "utf8"))?.[1]) / 1024;
		expect(peak).toBeLessThan(most);
	});
});
