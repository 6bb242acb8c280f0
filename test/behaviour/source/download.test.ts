import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, watch, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createHubSource } from "../../../infra/adapters/sources/hub/source.js";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { type DownloadOptions, download } from "../../../pipelines/fetch/download.js";
import { sweepParts } from "../../../pipelines/fetch/parts.js";
import type { Source, SourceFile } from "../../../pipelines/ports/source.js";
import { LakeError } from "../../../schemas/errors.js";
import { ROOT, tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";

/**
 * A file is downloaded whole and right or not at all: an interrupted download continues, wrong bytes are fetched anew,
 * and retries end.
 */

const ZIP = randomBytes(5 << 20);
const PATH = "images/train/train_1.zip";
const FILE: SourceFile = { path: PATH, bytes: ZIP.length, sha256: sha256(ZIP), gitOid: null };
const never = new AbortController().signal;

function sha256(content: Buffer): string {
	return createHash("sha256").update(content).digest("hex");
}

let folder: ReturnType<typeof tempDir>;
let scratch: ReturnType<typeof tempDir>;
let cleanup: (() => Promise<void>)[];

beforeEach(() => {
	folder = tempDir("served");
	scratch = tempDir("scratch");
	cleanup = [async () => folder.remove(), async () => scratch.remove()];
	mkdirSync(dirname(join(folder.path, PATH)), { recursive: true });
	mkdirSync(join(scratch.path, "parts"));
	writeFileSync(join(folder.path, PATH), ZIP);
});

afterEach(async () => {
	for (const end of cleanup.reverse()) await end();
});

const clock = { now: () => 0, sleep: async () => undefined };

async function hub(options: Parameters<typeof startHub>[1] = {}): Promise<{ hub: HubHandle; source: Source }> {
	const handle = await startHub(folder.path, options);
	cleanup.push(handle.stop);
	const source = createHubSource({
		repo: imageRewardDb.repo,
		revision: handle.commit,
		endpoint: handle.endpoint,
		token: null,
		dataset: imageRewardDb,
		clock,
		note: () => undefined,
	});
	cleanup.push(() => source.close());
	return { hub: handle, source };
}

function options(more: Partial<DownloadOptions> = {}): DownloadOptions {
	return { scratch: scratch.path, clock, signal: never, onBytes: () => undefined, ...more };
}

/** A source of the test's own; `answers` are called in turn, the last one again and again. */
function fake(
	...answers: ((offset: number, restart: () => void) => Iterable<Buffer>)[]
): Source & { offsets: number[] } {
	const offsets: number[] = [];
	return {
		name: "fake",
		offsets,
		list: () => Promise.reject(new Error("not listed")),
		localPath: () => null,
		close: async () => undefined,
		async *read(_file, offset, _signal, restart) {
			const answer = answers[Math.min(offsets.length, answers.length - 1)];
			offsets.push(offset);
			yield* answer?.(offset, restart) ?? [];
		},
		readRange: () => {
			throw new Error("a whole file needs no ranges");
		},
	};
}

function* failing(...chunks: Buffer[]): Iterable<Buffer> {
	yield* chunks;
	throw new LakeError("HUB_UNAVAILABLE", "The connection was lost.");
}

function parts(): string[] {
	return readdirSync(join(scratch.path, "parts"));
}

/** A part of a process that cannot exist any more: its number is taken, but by one that started later. */
function deadPart(content: Buffer, hash = FILE.sha256): string {
	const path = join(scratch.path, `parts/${hash}.${process.pid}-1.part`);
	writeFileSync(path, content);
	return path;
}

/** Runs a download of the file in a process of its own. */
function otherProcess(endpoint: string, commit: string) {
	const code = `
		const { createHubSource } = await import(${JSON.stringify(join(ROOT, "dist/infra/adapters/sources/hub/source.js"))});
		const { imageRewardDb } = await import(${JSON.stringify(join(ROOT, "dist/pipelines/datasets/imagereward-db/dataset.js"))});
		const { download } = await import(${JSON.stringify(join(ROOT, "dist/pipelines/fetch/download.js"))});
		const clock = { now: () => 0, sleep: async () => {} };
		const source = createHubSource({ repo: imageRewardDb.repo, revision: ${JSON.stringify(commit)}, token: null, note() {},
			endpoint: ${JSON.stringify(endpoint)}, dataset: imageRewardDb, clock });
		await download(source, ${JSON.stringify(FILE)}, { scratch: ${JSON.stringify(scratch.path)}, clock,
			signal: new AbortController().signal, onBytes() {} });
	`;
	return spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "ignore", "inherit"] });
}

/** Resolves when a part has at least so many bytes. */
async function partOf(bytes: number): Promise<string> {
	const at = join(scratch.path, "parts");
	const watcher = watch(at);
	const found = () => parts().find((name) => statSync(join(at, name)).size >= bytes);
	try {
		for (let name = found(); ; name = found()) {
			if (name !== undefined) return join(at, name);
			await once(watcher, "change");
		}
	} finally {
		watcher.close();
	}
}

test("a download gives the file, its hash, and what it took", async () => {
	const { hub: handle, source } = await hub();
	let told = 0;
	const onBytes = (bytes: number) => {
		told += bytes;
	};
	const done = await download(source, FILE, options({ onBytes }));
	expect(readFileSync(done.path).equals(ZIP)).toBe(true);
	expect(done).toMatchObject({ sha256: FILE.sha256, bytes: ZIP.length, fetched: ZIP.length });
	expect({ told, served: (await handle.counters()).paths[PATH]?.bytes }).toEqual({
		told: ZIP.length,
		served: ZIP.length,
	});
	await done.release();
	expect(parts()).toEqual([]);
});

test("a small file outside of LFS is checked by git's hash", async () => {
	const content = Buffer.from("metadata\n");
	const git = createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
	const file = { path: "metadata-train.parquet", bytes: content.length, sha256: null, gitOid: git };
	const done = await download(
		fake(() => [content]),
		file,
		options(),
	);
	expect(done.sha256).toBe(sha256(content));
	const wrong = { ...file, gitOid: "0".repeat(40) };
	await expect(
		download(
			fake(() => [content]),
			wrong,
			options({ mismatch: "METADATA_MISSING" }),
		),
	).rejects.toMatchObject({
		code: "METADATA_MISSING",
		retry: false,
	});
});

describe("an interrupted download continues at the byte", () => {
	test("after SIGKILL, in another process", async () => {
		const { hub: handle, source } = await hub({ bytesPerSecond: 4 << 20 });
		const child = otherProcess(handle.endpoint, handle.commit);
		const part = await partOf(2 << 20);
		child.kill("SIGKILL");
		await once(child, "exit");
		const kept = statSync(part).size;
		expect(kept).toBeLessThan(ZIP.length);
		await handle.reset();
		const done = await download(source, FILE, options());
		expect(readFileSync(done.path).equals(ZIP)).toBe(true);
		expect(done.fetched).toBe(ZIP.length - kept);
		expect((await handle.counters()).paths[PATH]?.ranges).toEqual([[kept, ZIP.length]]);
		await done.release();
		expect(parts()).toEqual([]);
	});

	test("after resets, in the same process, no byte asked for twice", async () => {
		const { hub: handle, source } = await hub();
		await handle.faults([{ match: { route: "cdn" }, times: 3, kind: "reset-after", bytes: 1 << 20 }]);
		let told = 0;
		const onBytes = (bytes: number) => {
			told += bytes;
		};
		const done = await download(source, FILE, options({ onBytes }));
		expect(readFileSync(done.path).equals(ZIP)).toBe(true);
		expect({ fetched: done.fetched, told }).toEqual({ fetched: ZIP.length, told: ZIP.length });
		expect((await handle.counters()).paths[PATH]?.downloads).toBe(4);
	});

	test("after an abort, which keeps every byte that came", async () => {
		const abort = new AbortController();
		let told = 0;
		const onBytes = (bytes: number) => {
			told += bytes;
			abort.abort(new Error("interrupted"));
		};
		const { hub: handle, source } = await hub({ bytesPerSecond: 8 << 20 });
		await expect(download(source, FILE, options({ signal: abort.signal, onBytes }))).rejects.toThrow("interrupted");
		expect(parts().map((name) => statSync(join(scratch.path, "parts", name)).size)).toEqual([told]);
		await handle.reset();
		const done = await download(source, FILE, options());
		expect(done.fetched).toBe(ZIP.length - told);
		expect((await handle.counters()).paths[PATH]?.ranges).toEqual([[told, ZIP.length]]);
	});

	test("and costs no request when all bytes are there", async () => {
		deadPart(ZIP);
		const source = fake(() => failing());
		const done = await download(source, FILE, options());
		expect({ fetched: done.fetched, offsets: source.offsets }).toEqual({ fetched: 0, offsets: [] });
		expect(readFileSync(done.path).equals(ZIP)).toBe(true);
	});

	test("from the largest part, the others being deleted", async () => {
		const own = `${FILE.sha256}.${process.pid}`;
		for (const [n, bytes] of [
			[1, 100],
			[2, 300],
			[3, 200],
		] as const) {
			writeFileSync(join(scratch.path, `parts/${own}-${n}.part`), ZIP.subarray(0, bytes));
		}
		const source = fake((offset) => [ZIP.subarray(offset)]);
		const done = await download(source, FILE, options());
		expect({ offsets: source.offsets, parts: parts().length }).toEqual({ offsets: [300], parts: 1 });
		await done.release();
	});

	test("but begins anew where the answer does", async () => {
		deadPart(ZIP.subarray(0, 1000));
		let restarts = 0;
		const source = fake((_offset, restart) => {
			restart();
			return [ZIP.subarray(0, 1 << 20), ZIP.subarray(1 << 20)];
		});
		const onRestart = () => {
			restarts++;
		};
		const done = await download(source, FILE, options({ onRestart }));
		expect(readFileSync(done.path).equals(ZIP)).toBe(true);
		expect({ restarts, offsets: source.offsets }).toEqual({ restarts: 1, offsets: [1000] });
	});
});

describe("wrong bytes", () => {
	test("are fetched whole once more", async () => {
		const { hub: handle, source } = await hub();
		await handle.faults([{ match: { route: "cdn" }, times: 1, kind: "wrong-bytes", bytes: 77 }]);
		const done = await download(source, FILE, options());
		expect(readFileSync(done.path).equals(ZIP)).toBe(true);
		expect((await handle.counters()).paths[PATH]?.ranges).toEqual([
			[0, ZIP.length],
			[0, ZIP.length],
		]);
	});

	test("twice are an error that names both hashes, and nothing of them is kept", async () => {
		const { hub: handle, source } = await hub();
		await handle.faults([{ match: { route: "cdn" }, times: 2, kind: "wrong-bytes", bytes: 77 }]);
		const spoilt = Buffer.from(ZIP);
		spoilt[77] = (spoilt[77] ?? 0) ^ 0xff;
		const error = await download(source, FILE, options()).catch((thrown: unknown) => thrown);
		expect(error).toMatchObject({ code: "SHARD_HASH_MISMATCH", retry: false, path: PATH });
		expect(String(error)).toContain(FILE.sha256);
		expect(String(error)).toContain(sha256(spoilt));
		expect(parts()).toEqual([]);
	});

	test("of an earlier process are found and replaced", async () => {
		deadPart(Buffer.alloc(1000, 7));
		const source = fake((offset) => [ZIP.subarray(offset)]);
		const done = await download(source, FILE, options());
		expect(readFileSync(done.path).equals(ZIP)).toBe(true);
		expect(source.offsets).toEqual([1000, 0]);
	});
});

describe("retries", () => {
	test("end after five in a row without a new byte, and the part stays", async () => {
		const waits: number[] = [];
		const retrying = {
			clock: {
				now: () => 0,
				sleep: async (seconds: number) => {
					waits.push(seconds);
				},
			},
		};
		const source = fake(
			() => failing(ZIP.subarray(0, 10)),
			() => failing(),
		);
		await expect(download(source, FILE, options(retrying))).rejects.toMatchObject({ code: "HUB_UNAVAILABLE" });
		expect(source.offsets).toEqual([0, 10, 10, 10, 10, 10]);
		expect(waits).toHaveLength(5);
		expect(parts().map((name) => statSync(join(scratch.path, "parts", name)).size)).toEqual([10]);
	});

	test("begin anew with each new byte", async () => {
		const slowly = fake((offset) => (offset < 20 ? failing(ZIP.subarray(offset, offset + 1)) : [ZIP.subarray(offset)]));
		expect((await download(slowly, FILE, options())).fetched).toBe(ZIP.length);
		expect(slowly.offsets).toHaveLength(21);
	});

	test("end where answers begin at 0 again and again and never get further", async () => {
		const source = fake((_offset, restart) => {
			restart();
			return failing(ZIP.subarray(0, 1000));
		});
		await expect(download(source, FILE, options())).rejects.toMatchObject({ code: "HUB_UNAVAILABLE" });
		expect(source.offsets).toHaveLength(6);
	});

	test("of a body that ends early begin where it ended", async () => {
		const source = fake((offset) => [ZIP.subarray(offset, Math.max(1 << 20, offset * 4))]);
		expect(readFileSync((await download(source, FILE, options())).path).equals(ZIP)).toBe(true);
		expect(source.offsets).toEqual([0, 1 << 20, 4 << 20]);
	});

	test("are not made of an error that says no", async () => {
		const source = fake(() => {
			throw new LakeError("HUB_GATED", "The dataset is gated.");
		});
		await expect(download(source, FILE, options())).rejects.toMatchObject({ code: "HUB_GATED" });
		expect(source.offsets).toEqual([0]);
	});
});

describe("a part belongs to one live process", () => {
	test("and is not taken from it", async () => {
		const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "inherit"] });
		try {
			const stat = readFileSync(`/proc/${child.pid}/stat`, "latin1");
			const started = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
			const theirs = join(scratch.path, `parts/${FILE.sha256}.${child.pid}-${started}.part`);
			writeFileSync(theirs, ZIP.subarray(0, 1000));
			const source = fake((offset) => [ZIP.subarray(offset)]);
			await download(source, FILE, options());
			expect({ offsets: source.offsets, theirs: statSync(theirs).size }).toEqual({ offsets: [0], theirs: 1000 });
		} finally {
			child.stdin.end();
			await once(child, "exit");
		}
	});

	test("nor do two downloads of the same content in one process share one", async () => {
		const source = fake((offset) => [ZIP.subarray(offset)]);
		const both = await Promise.all([download(source, FILE, options()), download(source, FILE, options())]);
		expect(new Set(both.map((done) => done.path)).size).toBe(2);
		for (const done of both) expect(readFileSync(done.path).equals(ZIP)).toBe(true);
	});

	test("of a part larger than the file nothing is used", async () => {
		deadPart(Buffer.concat([ZIP, ZIP]));
		const source = fake((offset) => [ZIP.subarray(offset)]);
		await download(source, FILE, options());
		expect({ offsets: source.offsets, parts: parts().length }).toEqual({ offsets: [0], parts: 1 });
	});
});

test("too small a disk is noticed before the first request", async () => {
	const source = fake(() => []);
	const huge = { ...FILE, bytes: 2 ** 52 };
	await expect(download(source, huge, options())).rejects.toMatchObject({ code: "NO_SPACE", path: scratch.path });
	expect(source.offsets).toEqual([]);
});

test("old parts of dead processes are swept, others not", async () => {
	const old = deadPart(Buffer.from("old"), "a".repeat(64));
	const young = deadPart(Buffer.from("young"), "b".repeat(64));
	utimesSync(old, 1_700_000_000, 1_700_000_000);
	await sweepParts(scratch.path);
	expect(parts()).toEqual([young.slice(young.lastIndexOf("/") + 1)]);
});
