import { createHash } from "node:crypto";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import { isLarge, MemberReader, readJsonMember } from "../../../../../infra/adapters/archive/member.js";
import { openZip } from "../../../../../infra/adapters/archive/zip.js";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import type { Member, MemberRef } from "../../../../../pipelines/ports/archive.js";
import { shardFiles } from "../../../../../pipelines/shards.js";
import { LakeError } from "../../../../../schemas/errors.js";
import { tempDir } from "../../../../support/root.js";
import { buildZip, type Part } from "../../../../tools/fixtures/make-zips.js";

const temp = tempDir("member");
let reader = new MemberReader();
afterEach(() => {
	reader.close();
	reader = new MemberReader();
});
afterAll(temp.remove);
const { signal } = new AbortController();
const files = shardFiles(imageRewardDb, "train_1");
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

let made = 0;
async function openParts(parts: Part[]): Promise<{ path: string; members: Member[]; json: Member | null }> {
	const path = join(temp.path, `${made++}.zip`);
	writeFileSync(path, buildZip(parts));
	return { path, ...(await openZip(path, files, signal)) };
}

function ref(members: Member[], name: string): MemberRef {
	const found = members.find((member) => member.name === name);
	if (found === undefined) throw new Error(`no member ${name}`);
	return found.ref;
}

function codeOf(action: () => unknown): string {
	try {
		action();
	} catch (error) {
		if (error instanceof LakeError) return error.code;
		throw error;
	}
	return "no error";
}

const content = Buffer.from("twelve bytes");

/** A deflate stream whose directory gives another content's size. */
function deflatedAs(bytes: number, packed: Buffer): Part {
	return {
		name: "bad.webp",
		content: packed,
		central: { bytes, crc32: crc32(content) },
		method: 0,
	};
}

const unreadable: [string, Part, string][] = [
	["encrypted", { name: "bad.webp", central: { flags: 1 } }, "it is encrypted"],
	["strongly encrypted", { name: "bad.webp", central: { flags: 0x41 } }, "it is encrypted"],
	["an unknown method", { name: "bad.webp", method: 12 }, "it is packed by method 12"],
	["stored, larger", { name: "bad.webp", content, central: { bytes: 10 } }, "it is stored in 12 bytes, not 10"],
	["stored, smaller", { name: "bad.webp", content, central: { compressed: 9 } }, "it is stored in 9 bytes, not 12"],
	[
		"deflated, larger",
		{ name: "bad.webp", content, method: 8, central: { bytes: 10 } },
		"it unpacks to more than 10 bytes",
	],
	[
		"deflated, smaller",
		{ name: "bad.webp", content, method: 8, central: { bytes: 14 } },
		"it unpacks to 12 bytes, not 14",
	],
	[
		"deflated, said empty",
		{ name: "bad.webp", content, method: 8, central: { bytes: 0 } },
		"it unpacks to more than 0 bytes",
	],
	["deflated, cut", { name: "bad.webp", content, method: 8, central: { compressed: 5 } }, "it does not inflate"],
	[
		"a bomb",
		{ name: "bad.webp", content: Buffer.alloc(8 << 20), method: 8, central: { bytes: 1 << 20 } },
		"it unpacks to more than 1048576 bytes",
	],
	["no local header", { name: "bad.webp", local: { signature: 0 } }, "its local header is unreadable"],
	["an offset beyond the end", { name: "bad.webp", central: { offset: 9_000_000 } }, "its local header is unreadable"],
];

describe("a bad entry is a value, and costs no other", () => {
	test.each(unreadable)("%s", async (_, part, detail) => {
		const { members } = await openParts([{ name: "good.webp", content }, part, { name: "last.webp", content }]);
		const expected = { ok: false, code: "MEMBER_UNREADABLE", detail };
		expect(reader.read(ref(members, "bad.webp"))).toEqual(expected);
		expect(await reader.readLarge(ref(members, "bad.webp"))).toEqual(expected);
		expect(reader.read(ref(members, "good.webp"))).toMatchObject({ ok: true, content });
		expect(reader.read(ref(members, "last.webp"))).toMatchObject({ ok: true, content });
	});

	test.each([0, 8])("a wrong CRC-32 by method %i: the content's sums are told all the same", async (method) => {
		const { members } = await openParts([{ name: "bad.webp", content, method, central: { crc32: 0xabc } }]);
		const expected = {
			ok: false,
			code: "MEMBER_CRC_MISMATCH",
			detail: `its CRC-32 is ${crc32(content).toString(16).padStart(8, "0")}, not 00000abc`,
			bytes: 12,
			crc32: crc32(content),
			sha256: sha256(content),
		};
		expect(reader.read(ref(members, "bad.webp"))).toEqual(expected);
		expect(await reader.readLarge(ref(members, "bad.webp"))).toEqual(expected);
	});

	test("a zip cut short after it was opened", async () => {
		const { path, members } = await openParts([
			{ name: "a.webp", content },
			{ name: "b.webp", content },
		]);
		truncateSync(path, 60);
		expect(reader.read(ref(members, "a.webp"))).toMatchObject({ ok: true });
		expect(reader.read(ref(members, "b.webp"))).toMatchObject({ ok: false, code: "MEMBER_UNREADABLE" });
		truncateSync(path, 40);
		expect(reader.read(ref(members, "a.webp"))).toEqual({
			ok: false,
			code: "MEMBER_UNREADABLE",
			detail: "it lies beyond the zip's end",
		});
	});

	test("a zip that cannot be read at all is an error", async () => {
		const { path, members } = await openParts([{ name: "a.webp", content }]);
		rmSync(path);
		expect(codeOf(() => reader.read(ref(members, "a.webp")))).toBe("SOURCE_UNREADABLE");
	});
});

describe("a good member is read whole", () => {
	const large = Buffer.alloc(3_500_000, "every byte counts, ");
	const cases: [string, Buffer, number][] = [
		["stored", content, 0],
		["deflated", content, 8],
		["empty, stored", Buffer.alloc(0), 0],
		["empty, deflated", Buffer.alloc(0), 8],
		["of several chunks, stored", large, 0],
		["of several chunks, deflated", large, 8],
	];

	test.each(cases)("%s", async (_, bytes, method) => {
		const { members } = await openParts([{ name: "a.webp" }, { name: "b.webp", content: bytes, method }]);
		const sums = { ok: true, crc32: crc32(bytes), sha256: sha256(bytes) };
		const whole = reader.read(ref(members, "b.webp"));
		expect(whole).toMatchObject(sums);
		expect(whole.ok && whole.content.equals(bytes)).toBe(true);
		expect(await reader.readLarge(ref(members, "b.webp"))).toEqual({
			...sums,
			bytes: bytes.length,
			head: bytes.subarray(0, 4096),
		});
	});

	test("bytes behind a whole deflate stream are no fault", async () => {
		const packed = Buffer.concat([deflateRawSync(content), Buffer.from("behind")]);
		const { members } = await openParts([deflatedAs(content.length, packed)]);
		const found = ref(members, "bad.webp");
		if (found.kind !== "zip") throw new Error("not in the zip");
		const deflated: MemberRef = { ...found, method: 8 };
		expect(reader.read(deflated)).toMatchObject({ ok: true, content });
		expect(await reader.readLarge(deflated)).toMatchObject({ ok: true, sha256: sha256(content) });
	});

	test("one reader reads from one zip after the other", async () => {
		const one = await openParts([{ name: "a.webp", content: Buffer.from("one") }]);
		const two = await openParts([{ name: "a.webp", content: Buffer.from("two") }]);
		const texts = [one, two, one].map(({ members }) => {
			const read = reader.read(ref(members, "a.webp"));
			return read.ok ? read.content.toString() : read.detail;
		});
		expect(texts).toEqual(["one", "two", "one"]);
	});

	test("over 64 MiB, packed or not, it is large", () => {
		const zip = { kind: "zip", zip: "", headerOffset: 0, crc32: 0, method: 8, encrypted: false } as const;
		const limit = 64 << 20;
		expect(isLarge({ ...zip, bytes: limit, compressedBytes: limit })).toBe(false);
		expect(isLarge({ ...zip, bytes: limit + 1, compressedBytes: 1 })).toBe(true);
		expect(isLarge({ ...zip, bytes: 1, compressedBytes: limit + 1 })).toBe(true);
		expect(isLarge({ kind: "file", path: "", bytes: limit + 1 })).toBe(true);
		expect(codeOf(() => reader.read({ kind: "file", path: "", bytes: limit + 1 }))).toBe("INTERNAL");
	});
});

describe("a loose file", () => {
	const path = join(temp.path, "loose.webp");

	test("is read, its sums computed", async () => {
		writeFileSync(path, content);
		const file: MemberRef = { kind: "file", path, bytes: 12 };
		const sums = { ok: true, crc32: crc32(content), sha256: sha256(content) };
		expect(reader.read(file)).toEqual({ ...sums, content });
		expect(await reader.readLarge(file)).toEqual({ ...sums, bytes: 12, head: content });
	});

	test.each([
		["vanished", join(temp.path, "absent.webp"), 12],
		["of another size", path, 13],
	])("%s, has changed", async (_, where, bytes) => {
		writeFileSync(path, content);
		const file: MemberRef = { kind: "file", path: where, bytes };
		expect(codeOf(() => reader.read(file))).toBe("SOURCE_CHANGED");
		await expect(reader.readLarge(file)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
	});

	test("that the system refuses is unreadable", () => {
		const below = join(path, "not-a-folder");
		writeFileSync(path, content);
		expect(codeOf(() => reader.read({ kind: "file", path: below, bytes: 12 }))).toBe("SOURCE_UNREADABLE");
	});
});

describe("the shard's JSON", () => {
	async function jsonOf(part: Omit<Part, "name">): Promise<Member> {
		const { json } = await openParts([{ name: "train_1.json", ...part }, { name: "a.webp" }]);
		if (json === null) throw new Error("no JSON");
		return json;
	}

	test("is read", async () => {
		expect(readJsonMember(await jsonOf({ content: Buffer.from("[]"), method: 8 })).toString()).toBe("[]");
	});

	test.each<[string, Omit<Part, "name">]>([
		["encrypted", { central: { flags: 1 } }],
		["of an unknown method", { method: 12 }],
		["with a wrong CRC-32", { central: { crc32: 1 } }],
		["without a local header", { local: { signature: 0 } }],
	])("%s, is invalid", async (_, part) => {
		const json = await jsonOf(part);
		expect(codeOf(() => readJsonMember(json))).toBe("JSON_INVALID");
	});

	test("over 64 MiB is invalid", () => {
		const json: Member = { name: "train_1.json", ref: { kind: "file", path: "", bytes: (64 << 20) + 1 } };
		expect(codeOf(() => readJsonMember(json))).toBe("JSON_INVALID");
	});
});
