import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createFolderSource } from "../../../infra/adapters/sources/folder.js";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import type { ShardInput } from "../../../pipelines/ports/source.js";
import { tempDir } from "../../support/root.js";

/** A folder is as good a source as the Hub: zips or unpacked shards, each known by its bytes. */

const never = new AbortController().signal;
let folder: ReturnType<typeof tempDir>;
let outside: ReturnType<typeof tempDir>;

function put(path: string, content: string): void {
	mkdirSync(dirname(join(folder.path, path)), { recursive: true });
	writeFileSync(join(folder.path, path), content);
}

function sha256(text: string): string {
	return createHash("sha256").update(text).digest("hex");
}

beforeEach(() => {
	folder = tempDir("copy");
	outside = tempDir("outside");
});

afterEach(() => {
	folder.remove();
	outside.remove();
});

function open(options: { cacheFile?: string; rehash?: boolean; folder?: string } = {}) {
	return createFolderSource({
		folder: folder.path,
		dataset: imageRewardDb,
		cacheFile: null,
		rehash: false,
		note: () => undefined,
		...options,
	});
}

async function shardOf(shard = "train_1", options = {}): Promise<ShardInput> {
	const found = (await open(options).list({ shards: [shard], splits: [] }, never)).shards.get(shard);
	if (found === undefined) throw new Error(`${shard} is not listed`);
	return found;
}

test("a folder of zips is listed: what was asked for, hashed, and unknown zips by name", async () => {
	put("images/train/train_1.zip", "one");
	put("images/train/train_2.zip", "two");
	put("images/train/train_99.zip", "unknown");
	put("metadata-train.parquet", "rows");
	const listing = await open().list({ shards: ["train_1", "test_1"], splits: ["train", "test"] }, never);
	const zip = { path: "images/train/train_1.zip", bytes: 3, sha256: sha256("one"), gitOid: null };
	expect(listing).toEqual({
		uri: pathToFileURL(folder.path).href,
		revision: null,
		commit: null,
		committedAt: null,
		explicitCommit: false,
		shards: new Map([["train_1", { form: "zip", file: zip, sha256: sha256("one"), bytes: 3 }]]),
		metadata: new Map([["train", { path: "metadata-train.parquet", bytes: 4, sha256: sha256("rows"), gitOid: null }]]),
		unknownZips: ["images/train/train_99.zip"],
	});
	expect(readFileSync(open().localPath(zip) ?? "", "utf8")).toBe("one");
});

describe("an unpacked shard", () => {
	test("is known by its sorted names and hashes, the JSON among them", async () => {
		put("images/train/train_1/b.webp", "B");
		put("images/train/train_1/a.webp", "A");
		put("images/train/train_1/train_1.json", "[]");
		const found = await shardOf();
		const lines = `a.webp\0${sha256("A")}\nb.webp\0${sha256("B")}\ntrain_1.json\0${sha256("[]")}\n`;
		expect(found).toMatchObject({ form: "unpacked", sha256: sha256(lines), bytes: 4, json: { name: "train_1.json" } });
		expect(found.form === "unpacked" && found.files.map((file) => file.name)).toEqual(["a.webp", "b.webp"]);
	});

	test("is the same whether its JSON lies inside or beside", async () => {
		put("images/train/train_1/a.webp", "A");
		put("images/train/train_1/train_1.json", "[]");
		const inside = await shardOf();
		renameSync(join(folder.path, "images/train/train_1/train_1.json"), join(folder.path, "images/train/train_1.json"));
		const beside = await shardOf();
		expect(beside.sha256).toBe(inside.sha256);
		expect(beside).toMatchObject({ json: { path: join(folder.path, "images/train/train_1.json") } });
	});

	test("holds files of deeper folders under their relative names", async () => {
		put("images/train/train_1/deeper/a.webp", "A");
		const found = await shardOf();
		expect(found).toMatchObject({ files: [{ name: "deeper/a.webp" }], json: null });
	});

	test("gives way to a zip of the same name", async () => {
		put("images/train/train_1/a.webp", "A");
		put("images/train/train_1.zip", "zip");
		expect(await shardOf()).toMatchObject({ form: "zip", sha256: sha256("zip") });
	});
});

test("links to files are followed, as in the Hub's cache; links to folders and to nothing are not", async () => {
	writeFileSync(join(outside.path, "blob"), "linked");
	mkdirSync(join(outside.path, "private"));
	writeFileSync(join(outside.path, "private/secret"), "secret");
	put("images/train/train_1/a.webp", "A");
	symlinkSync(join(outside.path, "blob"), join(folder.path, "images/train/train_2.zip"));
	symlinkSync(join(outside.path, "blob"), join(folder.path, "images/train/train_1/b.webp"));
	symlinkSync(join(outside.path, "private"), join(folder.path, "images/train/train_1/c"));
	symlinkSync(join(outside.path, "gone"), join(folder.path, "images/train/train_1/d.webp"));
	expect(await shardOf("train_2")).toMatchObject({ form: "zip", sha256: sha256("linked"), bytes: 6 });
	expect(await shardOf()).toMatchObject({ files: [{ name: "a.webp" }, { name: "b.webp", sha256: sha256("linked") }] });
});

describe("hashes are remembered", () => {
	/** Other bytes behind the same size, time and inode: what only reading can notice. */
	function changeUnnoticed(path: string, content: string): void {
		const { atime, mtime } = statSync(path);
		writeFileSync(path, content);
		utimesSync(path, atime, mtime);
	}

	test("between runs, until --rehash", async () => {
		const cacheFile = join(outside.path, "deep/hashes.json");
		const zip = join(folder.path, "images/train/train_1.zip");
		put("images/train/train_1.zip", "one");
		utimesSync(zip, 1_700_000_000, 1_700_000_000);
		await shardOf("train_1", { cacheFile });
		changeUnnoticed(zip, "two");
		expect((await shardOf("train_1", { cacheFile })).sha256).toBe(sha256("one"));
		expect((await shardOf("train_1", { cacheFile, rehash: true })).sha256).toBe(sha256("two"));
		expect((await shardOf("train_1", { cacheFile })).sha256).toBe(sha256("two"));
	});

	test("but not of a file that changed its time or size, nor in a damaged cache", async () => {
		const cacheFile = join(outside.path, "hashes.json");
		const zip = join(folder.path, "images/train/train_1.zip");
		put("images/train/train_1.zip", "one");
		utimesSync(zip, 1_700_000_000, 1_700_000_000);
		await shardOf("train_1", { cacheFile });
		writeFileSync(zip, "two");
		utimesSync(zip, 1_700_000_000, 1_700_000_001);
		expect((await shardOf("train_1", { cacheFile })).sha256).toBe(sha256("two"));
		changeUnnoticed(zip, "six");
		writeFileSync(cacheFile, readFileSync(cacheFile, "utf8").slice(0, -9));
		expect((await shardOf("train_1", { cacheFile })).sha256).toBe(sha256("six"));
	});

	test("not at all where the cache cannot be written, which is said", async () => {
		put("images/train/train_1.zip", "one");
		writeFileSync(join(outside.path, "file"), "in the way");
		const notes: string[] = [];
		const source = createFolderSource({
			folder: folder.path,
			dataset: imageRewardDb,
			cacheFile: join(outside.path, "file/hashes.json"),
			rehash: false,
			note: (level) => notes.push(level),
		});
		const listing = await source.list({ shards: ["train_1"], splits: [] }, never);
		expect({ shards: listing.shards.size, notes }).toEqual({ shards: 1, notes: ["warn"] });
	});
});

test("a missing shard is absent, not an error", async () => {
	put("metadata-train.parquet", "rows");
	const listing = await open().list({ shards: ["train_1"], splits: ["train"] }, never);
	expect({ shards: listing.shards.size, metadata: listing.metadata.size }).toEqual({ shards: 0, metadata: 1 });
});

describe("what is no copy of the dataset ends with SOURCE_NOT_FOUND", () => {
	test.each([
		["a folder that does not exist", () => rmSync(folder.path, { recursive: true })],
		["a folder without shards and metadata", () => put("README.md", "hello")],
		[
			"a file",
			() => {
				rmSync(folder.path, { recursive: true });
				writeFileSync(folder.path, "a file");
			},
		],
	])("%s", async (_, prepare) => {
		prepare();
		const list = open().list({ shards: ["train_1"], splits: [] }, never);
		await expect(list).rejects.toMatchObject({ code: "SOURCE_NOT_FOUND", exit: 2, path: folder.path });
	});
});

test("a file is read from any byte, up to any other, and one that shrank since is noticed", async () => {
	put("images/train/train_1.zip", "0123456789");
	const source = open();
	const input = await shardOf();
	if (input.form !== "zip") throw new Error("no zip");
	const text = async (chunks: AsyncIterable<Buffer>) => {
		const all: Buffer[] = [];
		for await (const chunk of chunks) all.push(chunk);
		return Buffer.concat(all).toString();
	};
	const read = () => text(source.read(input.file, 4, never, () => undefined));
	expect(await read()).toBe("456789");
	expect(await text(source.readRange(input.file, 4, 7, never))).toBe("456");
	put("images/train/train_1.zip", "01234");
	await expect(read()).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
});
