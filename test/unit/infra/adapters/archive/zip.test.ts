import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import type { ByteSource } from "../../../../../infra/adapters/archive/bytes.js";
import { openLoose } from "../../../../../infra/adapters/archive/loose.js";
import { MemberReader } from "../../../../../infra/adapters/archive/member.js";
import { openZip, readZip } from "../../../../../infra/adapters/archive/zip.js";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import type { Archive } from "../../../../../pipelines/ports/archive.js";
import { shardFiles } from "../../../../../pipelines/shards.js";
import { LakeError } from "../../../../../schemas/errors.js";
import { tempDir } from "../../../../support/root.js";
import { badZips, buildZip, type Form, type Part, ZIPS } from "../../../../tools/fixtures/make-zips.js";

/** A bad zip is refused under its code, and an honest one opens, whoever wrote it. */

const temp = tempDir("zip");
afterAll(temp.remove);
const { signal } = new AbortController();
const FILES = shardFiles(imageRewardDb, "train_1");

function inMemory(bytes: Buffer): ByteSource {
	return {
		size: bytes.length,
		read: async (position, length) => Buffer.from(bytes.subarray(position, position + length)),
	};
}

function openBytes(bytes: Buffer): Promise<Archive> {
	return readZip(inMemory(bytes), "train_1.zip", FILES, signal);
}

async function errorOf(opening: Promise<Archive>): Promise<LakeError> {
	const outcome = await opening.catch((error: unknown) => error);
	if (outcome instanceof LakeError) return outcome;
	throw new Error(`expected a LakeError, got ${String(outcome)}`);
}

function names(archive: Archive): [json: string | null, ...members: string[]] {
	return [archive.json?.name ?? null, ...archive.members.map((member) => member.name)];
}

describe("a bad zip is refused under its code", () => {
	test.each(badZips())("$file", async ({ file, entry }) => {
		const path = join(ZIPS, file);
		const error = await errorOf(openZip(path, FILES, signal));
		expect(error.code).toBe(file.split(".").at(-2));
		expect(error.path).toBe("train_1.zip");
		expect(error.message).toContain("train_1.zip");
		if (entry !== null) expect(error.message).toContain(`entry "${entry}"`);
	});

	test("the files are those that the script makes", () => {
		const made = badZips().map(({ file, bytes }) => [file, bytes.toString("base64")]);
		const kept = readdirSync(ZIPS).map((file) => [file, readFileSync(join(ZIPS, file)).toString("base64")]);
		expect(kept.sort()).toEqual(made.sort());
	});

	test("more than 100,000 entries", async () => {
		const parts = Array.from({ length: 100_001 }, (_, index): Part => ({ name: `${index}`, content: Buffer.alloc(0) }));
		const error = await errorOf(openBytes(buildZip(parts, { zip64: true })));
		expect(error.code).toBe("ZIP_UNSAFE");
		expect((await openBytes(buildZip(parts.slice(1), { zip64: true }))).members).toHaveLength(100_000);
	});

	test("an entry's name is shown escaped and cut at 120 characters", async () => {
		const { message } = await errorOf(openBytes(buildZip([{ name: `/\u001b[31m\n${"x".repeat(500)}` }])));
		const shown = /entry "(.*)" has/.exec(message)?.[1] ?? "";
		expect(shown).toMatch(/^\/\\u\{1b\}\[31m\\u\{a\}x+…$/);
		expect(shown).toHaveLength(120);
	});
});

describe("an honest zip opens", () => {
	const PYTHON = `
import io, sys, zipfile
form, path = sys.argv[1:]
class Pipe(io.RawIOBase):
    def __init__(self, file): self.file = file
    def writable(self): return True
    def write(self, data): return self.file.write(data)
with open(path, "wb") as file:
    target = Pipe(file) if form == "descriptors" else file
    method = zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(target, "w", method) as out:
        if form == "comment": out.comment = b"made by hand " * 100
        for name in ["train_1/train_1.json", "train_1/a.webp", "train_1/b.webp"]:
            with out.open(name, "w", force_zip64=form == "zip64") as entry:
                entry.write((name * 1000).encode())
`;

	test.each(["stored", "deflated", "zip64", "descriptors", "comment"])("from Python's zipfile: %s", async (form) => {
		const path = join(temp.path, `${form}.zip`);
		const made = spawnSync("python3", ["-c", PYTHON, form, path], { encoding: "utf8" });
		expect(made.stderr).toBe("");
		const archive = await openZip(path, FILES, signal);
		expect(names(archive)).toEqual(["train_1.json", "a.webp", "b.webp"]);
		const reader = new MemberReader();
		const contents = archive.members.map(({ ref }) => {
			const read = reader.read(ref);
			return read.ok ? `${read.content}` : read;
		});
		reader.close();
		expect(contents).toEqual(["train_1/a.webp".repeat(1000), "train_1/b.webp".repeat(1000)]);
	});

	test.each<[string, Part[], Form]>([
		["gaps between entries", [{ name: "a" }, { name: "b", gap: 100 }], {}],
		["filling before the end record", [{ name: "a" }, { name: "b" }], { gapBeforeEnd: Buffer.alloc(50) }],
		["another name in the local header", [{ name: "a", local: { name: "../other" } }, { name: "b" }], {}],
		["a deleted entry between two", [{ name: "a" }, { name: "x", unlisted: true }, { name: "b" }], {}],
		["zip64 end records", [{ name: "a" }, { name: "b" }], { zip64: true, comment: "a comment" }],
	])("with %s", async (_, parts, form) => {
		expect(names(await openBytes(buildZip(parts, form)))).toEqual([null, "a", "b"]);
	});

	test("without entries", async () => {
		expect(names(await openBytes(buildZip([])))).toEqual([null]);
	});

	test("with one entry strongly encrypted, which costs no other", async () => {
		const archive = await openBytes(buildZip([{ name: "a", central: { flags: 0x40 } }, { name: "b" }]));
		expect(archive.members.map(({ ref }) => ref.kind === "zip" && ref.encrypted)).toEqual([true, false]);
	});
});

describe("names are relative to the shard's folder", () => {
	const layouts: [string, string[], ReturnType<typeof names>][] = [
		["all at the root", ["a.webp", "train_1.json"], ["train_1.json", "a.webp"]],
		["one folder", ["train_1/", "train_1/train_1.json", "train_1/a.webp"], ["train_1.json", "a.webp"]],
		["a folder of any name", ["x/a.webp", "x/train_1.json"], ["train_1.json", "a.webp"]],
		["JSON beside the folder", ["train_1.json", "train_1/a.webp"], ["train_1.json", "a.webp"]],
		["JSON at the root, a stray folder", ["train_1.json", "a.webp", "x/b"], ["train_1.json", "a.webp", "x/b"]],
		["strays outside the folder", ["train_1/train_1.json", "__MACOSX/a"], ["train_1.json", "__MACOSX/a"]],
		["two JSONs", ["x/train_1.json", "train_1/train_1.json"], ["train_1.json", "x/train_1.json"]],
		["no JSON, one folder", ["x/a.webp", "x/y/b.webp"], [null, "a.webp", "y/b.webp"]],
		["no JSON, several folders", ["x/a.webp", "y/b.webp"], [null, "x/a.webp", "y/b.webp"]],
		["JSON two levels down", ["x/y/train_1.json"], [null, "y/train_1.json"]],
		["another shard's JSON", ["train_10.json"], [null, "train_10.json"]],
	];
	test.each(layouts)("%s", async (_, entries, expected) => {
		const parts = entries.map((name): Part => (name.endsWith("/") ? { name, content: Buffer.alloc(0) } : { name }));
		expect(names(await openBytes(buildZip(parts)))).toEqual(expected);
	});

	test("an unpacked shard lists its files by name, the JSON apart", () => {
		const file = (name: string) => ({ name, path: `/data/${name}`, bytes: 3, sha256: "00" });
		const archive = openLoose([file("b.webp"), file("train_1.json"), file("a.webp")], file("train_1.json"));
		expect(names(archive)).toEqual(["train_1.json", "a.webp", "b.webp"]);
		expect(archive.members[0]?.ref).toEqual({ kind: "file", path: "/data/a.webp", bytes: 3 });
	});
});

describe("a fault while reading ends in an error of ours", () => {
	const honest = buildZip(
		Array.from({ length: 200 }, (_, index) => ({ name: `${index}.webp` })),
		{ zip64: true, gapBeforeEnd: Buffer.alloc(9) },
	);

	/** `honest`, whose reads from the `nth` on do something else. */
	function faulty(nth: number, fault: () => Buffer): { source: ByteSource; reads: () => number } {
		const good = inMemory(honest);
		let reads = 0;
		const read = async (position: number, length: number) => (++reads > nth ? fault() : good.read(position, length));
		return { source: { size: honest.length, read }, reads: () => reads };
	}

	async function readsOfAll(): Promise<number> {
		const { source, reads } = faulty(Number.POSITIVE_INFINITY, () => Buffer.alloc(0));
		await readZip(source, "train_1.zip", FILES, signal);
		return reads();
	}

	test("whichever read fails, its error comes out", async () => {
		const all = await readsOfAll();
		expect(all).toBeGreaterThan(200);
		for (let nth = 0; nth < all; nth++) {
			const broken = new LakeError("SOURCE_UNREADABLE", "The disk failed.");
			const { source } = faulty(nth, () => {
				throw broken;
			});
			expect(await errorOf(readZip(source, "train_1.zip", FILES, signal))).toBe(broken);
		}
	});

	test("whichever read finds the file ended, the zip is corrupt or its entries are left to be found unreadable", async () => {
		const all = await readsOfAll();
		for (let nth = 0; nth < all; nth++) {
			const { source } = faulty(nth, () => Buffer.alloc(0));
			const outcome = await readZip(source, "train_1.zip", FILES, signal).catch((error: unknown) => error);
			if (outcome instanceof LakeError) expect(outcome.code).toBe("ZIP_CORRUPT");
			else expect(outcome).toHaveProperty("members.length", 200);
		}
	});

	test("a zip cut at any length is corrupt", async () => {
		const bytes = buildZip([{ name: "a.webp" }, { name: "b.webp" }], { comment: "a comment" });
		const path = join(temp.path, "cut.zip");
		writeFileSync(path, bytes);
		for (let length = bytes.length - 1; length >= 0; length--) {
			truncateSync(path, length);
			expect((await errorOf(openZip(path, FILES, signal))).code).toBe("ZIP_CORRUPT");
		}
	});

	test.each([0x01, 0x80, 0xff])("any byte changed by %i gives an error or readable values", async (change) => {
		const parts: Part[] = [{ name: "train_1.json" }, { name: "a.webp", method: 8 }, { name: "b.webp" }];
		const path = join(temp.path, "changed.zip");
		for (const zip64 of [false, true]) {
			const bytes = buildZip(parts, { zip64 });
			for (let at = 0; at < bytes.length; at++) {
				const changed = Buffer.from(bytes);
				changed.writeUInt8(changed.readUInt8(at) ^ change, at);
				writeFileSync(path, changed);
				const outcome = await openZip(path, FILES, signal).catch((error: unknown) => error);
				if (outcome instanceof LakeError) expect(outcome.code).toMatch(/^ZIP_/);
				else readAll(outcome as Archive);
			}
		}
	});

	function readAll(archive: Archive): void {
		const reader = new MemberReader();
		for (const { ref } of archive.members) {
			const result = reader.read(ref);
			if (!result.ok) expect(result.code).toMatch(/^MEMBER_/);
		}
		reader.close();
	}

	test("a file that is absent, or a folder, is unreadable", async () => {
		for (const path of [join(temp.path, "absent.zip"), temp.path]) {
			expect((await errorOf(openZip(path, FILES, signal))).code).toBe("SOURCE_UNREADABLE");
		}
	});

	test("an aborted signal ends the reading with its reason", async () => {
		const abort = AbortSignal.abort(new Error("enough"));
		await expect(readZip(inMemory(honest), "train_1.zip", FILES, abort)).rejects.toBe(abort.reason);
	});
});
