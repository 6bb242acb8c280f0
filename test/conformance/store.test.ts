import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { FolderStage } from "../../infra/adapters/store/folder/stage.js";
import { openFolderStore } from "../../infra/adapters/store/folder/store.js";
import { ScratchStage } from "../../infra/adapters/store/s3/scratch-stage.js";
import type { ObjectStage, Store } from "../../pipelines/ports/store.js";
import { LakeError } from "../../schemas/errors.js";
import { describeS3 } from "../support/describe-s3.js";
import { MemoryStore } from "../support/memory-store.js";
import { tempDir } from "../support/root.js";
import { S3Server } from "../support/s3.js";
import { openTestStore } from "../support/s3-store.js";
import { isSealed } from "./sealed.js";

/** Every store keeps the promises of the store's ports: in memory, in a folder, on S3. */

const describeServer = await describeS3();
let server: S3Server;
beforeAll(async () => {
	if (describeServer === describe) server = await S3Server.start();
}, 120_000);
afterAll(() => server?.stop());

interface Subject {
	store: Store;
	stage: ObjectStage;
}

const SUBJECTS: Record<string, (folder: string) => Subject | Promise<Subject>> = {
	folder: (folder) => {
		const store = openFolderStore(join(folder, "a lake", "below"));
		return { store, stage: new FolderStage(store.stage.folder) };
	},
	memory: () => {
		const store = new MemoryStore();
		return { store, stage: store };
	},
	S3: async (folder) => {
		const store = await openTestStore(server, folder);
		return { store, stage: new ScratchStage(store.stage.folder) };
	},
};

const text = (content: string) => Buffer.from(content);

async function paths(store: Store, prefix: string): Promise<string[]> {
	const found: string[] = [];
	for await (const { path } of store.list(prefix)) found.push(path);
	return found.sort();
}

async function codeOf(work: Promise<unknown>): Promise<string> {
	const error: unknown = await work.then(
		() => null,
		(reason: unknown) => reason,
	);
	return error instanceof LakeError ? error.code : `no LakeError: ${error}`;
}

let local: ReturnType<typeof tempDir>;
beforeEach(() => {
	local = tempDir("store");
});
afterEach(() => local.remove());

for (const kind of Object.keys(SUBJECTS))
	(kind === "S3" ? describeServer : describe)(`${kind} store`, () => {
		let subject: Subject;
		let store: Store;
		beforeEach(async () => {
			subject = await (SUBJECTS[kind] as (typeof SUBJECTS)[string])(local.path);
			store = subject.store;
		});

		test("an empty store has nothing", async () => {
			expect(await store.get("latest.json")).toBeNull();
			expect(await store.stat("tables/images/x.parquet")).toBeNull();
			expect(await paths(store, "")).toEqual([]);
			expect(await paths(store, "objects")).toEqual([]);
			expect(await codeOf(store.read("latest.json"))).toBe("LAKE_DAMAGED");
			await store.dropStaged();
		});

		test("put-if-absent: the first content stays", async () => {
			expect(await store.putIfAbsent("a/b/c.json", text("one"))).toBe(true);
			expect(await store.putIfAbsent("a/b/c.json", text("two"))).toBe(false);
			expect(await store.get("a/b/c.json")).toEqual(text("one"));
			expect(await store.stat("a/b/c.json")).toMatchObject({ path: "a/b/c.json", bytes: 3 });
		});

		test("put-if-absent: of fifty at once, exactly one is told true, and its content is there", async () => {
			const all = Array.from({ length: 50 }, (_, i) => text(`writer ${i}`));
			const answers = await Promise.all(all.map((content) => store.putIfAbsent("tables/log/0.json", content)));
			expect(answers.filter((answer) => answer)).toHaveLength(1);
			expect(await store.get("tables/log/0.json")).toEqual(all[answers.indexOf(true)]);
		});

		test("overwrite: whatever is there, of the same size or none", async () => {
			const made = (content: string): string => {
				const file = join(local.path, "made.parquet");
				writeFileSync(file, content);
				return file;
			};
			await store.overwrite("tables/images/a.parquet", made("one"));
			expect(await store.get("tables/images/a.parquet")).toEqual(text("one"));
			await store.overwrite("tables/images/a.parquet", made("two"));
			expect(await store.get("tables/images/a.parquet")).toEqual(text("two"));
			expect(await codeOf(store.overwrite("../outside", made("x")))).toBe("INTERNAL");
		});

		test("replace: only over what the caller saw", async () => {
			expect(await store.replace("latest.json", text("1"), text("0"))).toBe(false);
			expect(await store.get("latest.json")).toBeNull();
			expect(await store.replace("latest.json", text("1"), null)).toBe(true);
			expect(await store.replace("latest.json", text("2"), null)).toBe(false);
			expect(await store.replace("latest.json", text("2"), text("1"))).toBe(true);
			expect(await store.replace("latest.json", text("3"), text("1"))).toBe(false);
			expect(await store.get("latest.json")).toEqual(text("2"));
		});

		test("replace: of twenty at once over one content, exactly one succeeds", async () => {
			await store.replace("latest.json", text("0"), null);
			const answers = await Promise.all(
				Array.from({ length: 20 }, (_, i) => store.replace("latest.json", text(`next ${i}`), text("0"))),
			);
			expect(answers.filter((answer) => answer)).toHaveLength(1);
			expect(await store.get("latest.json")).toEqual(text(`next ${answers.indexOf(true)}`));
		});

		test("replace: a reader sees one whole record after another, never less", async () => {
			const record = (number: number) => text(JSON.stringify({ number, filler: "x".repeat(200_000), end: number }));
			await store.replace("latest.json", record(0), null);
			let writing = true;
			let newest = 0;
			let reads = 0;
			const reader = (async () => {
				while (writing || reads === 0) {
					const content = await store.get("latest.json");
					const seen = JSON.parse(String(content)) as { number: number; end: number };
					expect(seen.end).toBe(seen.number);
					expect(seen.number).toBeGreaterThanOrEqual(newest);
					newest = seen.number;
					reads += 1;
					await new Promise((resolve) => setImmediate(resolve));
				}
			})();
			for (let i = 1; i <= 60; i++) expect(await store.replace("latest.json", record(i), record(i - 1))).toBe(true);
			writing = false;
			await reader;
			expect(await store.get("latest.json")).toEqual(record(60));
		});

		test("list: every file below a folder, by size, and no other folder's", async () => {
			for (const path of ["t/a/1.json", "t/a/2/3.json", "t/ab/4.json", "latest.json"])
				await store.putIfAbsent(path, text(path));
			expect(await paths(store, "")).toEqual(["latest.json", "t/a/1.json", "t/a/2/3.json", "t/ab/4.json"]);
			expect(await paths(store, "t/a")).toEqual(["t/a/1.json", "t/a/2/3.json"]);
			expect(await paths(store, "t/a/")).toEqual(["t/a/1.json", "t/a/2/3.json"]);
			for await (const file of store.list("t")) expect(file.bytes).toBe(file.path.length);
		});

		test("list: the writers' own folder only when asked for by name", async () => {
			await store.putIfAbsent(".irlake/lake.json", text("{}"));
			await store.putIfAbsent("latest.json", text("{}"));
			expect(await paths(store, "")).toEqual(["latest.json"]);
			expect(await paths(store, ".irlake")).toContain(".irlake/lake.json");
		});

		test("stat and list: when a file was last written, by one clock, a second of doubt left aside", async () => {
			const times = async () => {
				const listed: number[] = [];
				for await (const { modified } of store.list("t")) listed.push(modified);
				return [(await store.stat("t/a.json"))?.modified, ...listed];
			};
			await store.putIfAbsent("t/a.json", text("1"));
			const [first = 0, listed = 0] = await times();
			expect(Math.abs(first - listed)).toBeLessThan(1000);
			expect(Math.abs(first - Date.now())).toBeLessThan(60_000);
			// Servers tell whole seconds.
			for (let seen = first; seen === first; [seen = 0] = await times()) {
				const content = await store.get("t/a.json");
				expect(await store.replace("t/a.json", text(`${Math.random()}`), content)).toBe(true);
			}
			const [second = 0, listedSecond = 0] = await times();
			expect(second).toBeGreaterThan(first);
			expect(listedSecond).toBeGreaterThan(listed);
		});

		test("delete: these files and no others; what is not there is no error", async () => {
			const all = ["t/a/1.json", "t/a/2.json", "t/b.json", ".irlake/x.json"];
			for (const path of all) await store.putIfAbsent(path, text(path));
			await store.delete(["t/a/1.json", "t/never.json", "t/no/folder.json", ".irlake/x.json"]);
			expect(await paths(store, "")).toEqual(["t/a/2.json", "t/b.json"]);
			expect(await store.get(".irlake/x.json")).toBeNull();
			await store.delete([]);
			await store.delete(["t/a/1.json"]);
			expect(await store.putIfAbsent("t/a/1.json", text("again"))).toBe(true);
			expect(await store.get("t/a/1.json")).toEqual(text("again"));
		});

		test("delete: more files than one request of S3 takes", async () => {
			const all = Array.from({ length: kind === "S3" ? 1003 : 60 }, (_, at) => `many/${at}.json`);
			await Promise.all(all.map((path) => store.putIfAbsent(path, text("x"))));
			await store.delete(all.slice(1));
			expect(await paths(store, "many")).toEqual(["many/0.json"]);
		}, 60_000);

		test("read: streams a whole file", async () => {
			const content = Buffer.alloc(300_000, "0123456789");
			await store.putIfAbsent("big.bin", content);
			const parts: Buffer[] = [];
			for await (const part of await store.read("big.bin")) parts.push(part as Buffer);
			expect(Buffer.concat(parts).equals(content)).toBe(true);
		});

		test("putFile: a file under its content's name, once or twice", async () => {
			for (let i = 0; i < 2; i++) {
				const file = join(local.path, `local-${i}.parquet`);
				writeFileSync(file, "PAR1 and more");
				await store.putFile("tables/images/split=test/shard=1/0123.parquet", file);
			}
			expect(await store.get("tables/images/split=test/shard=1/0123.parquet")).toEqual(text("PAR1 and more"));
		});

		test("publishObjects: staged objects appear, again and again without harm", async () => {
			const keys = ["aa/aa01", "aa/aa02", "bb/bb01"].map((name) => `objects/sha256/${name}.webp`);
			for (const key of keys) await subject.stage.stage(key, text(key));
			expect(await paths(store, "objects")).toEqual([]);
			await store.publishObjects([...keys, ...keys]);
			expect(await paths(store, "objects")).toEqual(keys);
			await subject.stage.stage(keys[0] as string, text(keys[0] as string));
			await Promise.all([store.publishObjects(keys), store.publishObjects(keys)]);
			for (const key of keys) expect(await store.get(key)).toEqual(text(key));
		});

		test("publishObjects: an object that is nowhere is an error", async () => {
			expect(await codeOf(store.publishObjects(["objects/sha256/cc/cc01.webp"]))).toBe("LAKE_DAMAGED");
		});

		test("dropStaged: what was never published is gone, what was published stays", async () => {
			const [kept, dropped] = ["objects/sha256/aa/aa01.webp", "objects/sha256/aa/aa02.webp"];
			for (const key of [kept, dropped]) await subject.stage.stage(key, text(key));
			await store.publishObjects([kept]);
			await store.dropStaged();
			expect(await codeOf(store.publishObjects([dropped]))).toBe("LAKE_DAMAGED");
			expect(await paths(store, "objects")).toEqual([kept]);
			await subject.stage.stage(dropped, text(dropped));
			await store.publishObjects([dropped]);
			expect(await store.get(dropped)).toEqual(text(dropped));
		});

		test.each(["../x", "/etc/passwd", "a/../../x", "a\\b", "a//b", "", "a/.", "nul\0"])(
			"the path %j is refused",
			async (path) => {
				expect(await codeOf(store.get(path))).toBe("INTERNAL");
				expect(await codeOf(store.stat(path))).toBe("INTERNAL");
				expect(await codeOf(store.putIfAbsent(path, text("x")))).toBe("INTERNAL");
				expect(await codeOf(store.replace(path, text("x"), null))).toBe("INTERNAL");
				expect(await codeOf(store.publishObjects([path]))).toBe("INTERNAL");
				expect(await codeOf(store.delete([path]))).toBe("INTERNAL");
			},
		);
	});

describe("folder store", () => {
	const children: ChildProcess[] = [];
	afterEach(async () => {
		for (const child of children.splice(0)) await stopped(child);
	});

	function start(...args: string[]): ChildProcess {
		const script = join(import.meta.dirname, "store-child.js");
		const child = spawn(process.execPath, [script, ...args], { stdio: ["pipe", "pipe", "inherit"] });
		children.push(child);
		return child;
	}

	test("reading makes no folder", async () => {
		const folder = join(local.path, "never");
		const store = openFolderStore(folder);
		await store.get("latest.json");
		await paths(store, "");
		await store.dropStaged();
		expect(existsSync(folder)).toBe(false);
	});

	test("a lake behind a symbolic link works, and a folder removed meanwhile is made again", async () => {
		const real = openFolderStore(join(local.path, "real"));
		await real.putIfAbsent("a/1.json", text("1"));
		symlinkSync(join(local.path, "real"), join(local.path, "link"));
		const linked = openFolderStore(join(local.path, "link"));
		expect(await linked.get("a/1.json")).toEqual(text("1"));
		expect(await linked.putIfAbsent("a/2.json", text("2"))).toBe(true);
		for (const name of readdirSync(join(local.path, "real")))
			rmSync(join(local.path, "real", name), { recursive: true });
		expect(await linked.putIfAbsent("a/3.json", text("3"))).toBe(true);
		expect(await paths(real, "")).toEqual(["a/3.json"]);
	});

	test("a file where a folder is needed is refused by name", async () => {
		writeFileSync(join(local.path, "file"), "no folder");
		const store = openFolderStore(join(local.path, "file"));
		expect(await codeOf(store.putIfAbsent("latest.json", text("x")))).toBe("LAKE_UNWRITABLE");
		expect(await store.get("latest.json")).toBeNull();
	});

	test("put-if-absent: of four processes, exactly one gets each record", async () => {
		const lake = join(local.path, "raced");
		const racers = ["w", "x", "y", "z"].map((name) => ({ name, child: start("race", lake, name) }));
		const lines = racers.map(({ child }) =>
			createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator](),
		);
		for (const line of lines) expect((await line.next()).value).toBe("ready");
		for (const { child } of racers) child.stdin?.write("go\n");
		const won = await Promise.all(
			lines.map(async (line) => JSON.parse((await line.next()).value as string) as number[]),
		);
		const winners = new Map(won.flatMap((numbers, i) => numbers.map((number) => [number, racers[i]?.name] as const)));
		expect(won.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
		const store = openFolderStore(lake);
		for (const [number, name] of winners) {
			expect(await store.get(`claims/deep/${number}.json`)).toEqual(text(`${name} ${number}`));
		}
	});

	test("after SIGKILL at twelve moments every file is whole, and the next run sweeps what was left", async () => {
		const lake = join(local.path, "killed");
		for (let round = 0; round < 12; round++) {
			const child = start("write", lake, `k${round}`, join(local.path, "scratch"));
			// One round more or less than a whole turn of five steps: every step is met, early in it or late.
			let left = 4 + ((round * 7) % 12);
			for await (const _ of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
				left -= 1;
				if (left > 0) continue;
				for (let spin = 0; spin < round; spin++) await new Promise((resolve) => setImmediate(resolve));
				child.kill("SIGKILL");
				break;
			}
			await stopped(child);
			const store = openFolderStore(lake);
			for await (const { path } of store.list("")) {
				const content = readFileSync(join(lake, path));
				expect([path, isSealed(content)]).toEqual([path, true]);
			}
			await store.dropStaged();
			expect(readdirSync(join(lake, ".irlake/tmp"))).toEqual([]);
			expect(existsSync(join(lake, ".irlake/staged")) ? readdirSync(join(lake, ".irlake/staged")) : []).toEqual([]);
		}
	});

	test("dropStaged leaves alone what a living process has staged", async () => {
		const lake = join(local.path, "shared");
		const child = start("write", lake, "alive", join(local.path, "scratch"));
		const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
		for await (const line of lines) if (line === "put 1") break;
		await openFolderStore(lake).dropStaged();
		child.kill("SIGSTOP");
		expect(readdirSync(join(lake, ".irlake/staged"))).toHaveLength(1);
	});
});

/** Ends the process, if it has not ended yet, and waits until it is gone. */
async function stopped(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const gone = once(child, "exit");
	child.kill("SIGKILL");
	await gone;
}
