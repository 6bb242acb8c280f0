import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { MemberReader } from "../../../../infra/adapters/archive/member.js";
import { openZip } from "../../../../infra/adapters/archive/zip.js";
import { imageRewardDb } from "../../../../pipelines/datasets/imagereward-db/dataset.js";
import { RangedZip } from "../../../../pipelines/fetch/ranged-zip.js";
import type { Member } from "../../../../pipelines/ports/archive.js";
import type { Source } from "../../../../pipelines/ports/source.js";
import { shardFiles } from "../../../../pipelines/shards.js";
import { LakeError } from "../../../../schemas/errors.js";
import { archives } from "../../../../workers/wire.js";
import { tempDir } from "../../../support/root.js";
import { badZips, buildZip, type Form, type Part } from "../../../tools/fixtures/make-zips.js";
import { Random } from "../../../tools/sample/random.js";

/** A zip of which parts are fetched is judged as the whole zip is: under the same code, or with the same members. */

const temp = tempDir("ranged-zip");
mkdirSync(join(temp.path, "scratch"));
afterAll(temp.remove);
const { signal } = new AbortController();
const files = shardFiles(imageRewardDb, "train_1");
const random = new Random("ranged-zip");

/** What the reader of a directory sees last: more than is fetched of a zip's end, so that the members lie outside of it. */
const FILLER: Part = { name: "filler.webp", content: noise(300_000) };

function noise(bytes: number): Buffer {
	return Buffer.from(Array.from({ length: bytes }, () => random.int(0, 255)));
}

function part(name: string, more: Partial<Part> = {}): Part {
	return { name, content: noise(3000), ...more };
}

/** A source of this one file, which counts what is asked of it. */
function sourceOf(bytes: Buffer, asked: [number, number][]): Source {
	return {
		name: "fake",
		list: () => Promise.reject(new Error("not listed")),
		localPath: () => null,
		read: () => {
			throw new Error("read whole");
		},
		async *readRange(_file, from, to) {
			asked.push([from, to]);
			yield bytes.subarray(from, to);
		},
		close: async () => undefined,
	};
}

type Verdict = string | [name: string, content: string][];

function contents(members: Member[]): [string, string][] {
	const reader = new MemberReader();
	try {
		return members.map(({ name, ref }) => {
			const read = reader.read(ref);
			return [name, read.ok ? createHash("sha256").update(read.content).digest("hex") : read.code];
		});
	} finally {
		reader.close();
	}
}

async function verdict(judging: () => Promise<Verdict>): Promise<Verdict> {
	try {
		return await judging();
	} catch (error) {
		if (error instanceof LakeError) return error.code;
		throw error;
	}
}

function whole(bytes: Buffer): Promise<Verdict> {
	return verdict(async () => {
		const path = join(temp.path, "whole.zip");
		writeFileSync(path, bytes);
		const { members } = await openZip(path, files, signal);
		return contents(members);
	});
}

function ranged(bytes: Buffer, asked: [number, number][] = []): Promise<Verdict> {
	return verdict(async () => {
		const file = { path: "images/train/train_1.zip", bytes: bytes.length, sha256: "0".repeat(64), gitOid: null };
		const input = { form: "zip", file, sha256: file.sha256, bytes: file.bytes } as const;
		const zip = await RangedZip.open(input, files, {
			source: sourceOf(bytes, asked),
			archives,
			scratch: join(temp.path, "scratch"),
			signal,
			clock: { now: () => 0, sleep: async () => undefined },
			onBytes: () => undefined,
		});
		try {
			await zip.bring(zip.archive.members);
			return contents(zip.archive.members);
		} finally {
			await zip.release();
			expect(readdirSync(join(temp.path, "scratch/ranges"))).toEqual([]);
		}
	});
}

describe("every bad zip is refused under its code", () => {
	test.each(badZips())("$file", async ({ file, bytes }) => {
		expect(await ranged(bytes)).toBe(file.split(".").at(-2));
	});
});

describe("a zip whose members lie far from its end", () => {
	const [a, b] = [part("a.webp"), part("b.webp")];
	const json: Part = { name: "train_1.json", content: Buffer.from("[]") };
	const forms: [string, Part[], Form][] = [
		["stored", [a, b, json], {}],
		["with zip64 records", [a, b, json], { zip64: true }],
		["with a comment", [a, b, json], { comment: "x".repeat(60_000) }],
		["with gaps before members", [part("a.webp", { gap: 0 }), part("b.webp", { gap: 5000 }), json], {}],
		["with a gap before its end", [a, b, json], { gapBeforeEnd: Buffer.alloc(100_000) }],
		["with other names in the local headers", [part("a.webp", { local: { name: "y".repeat(3000) } }), b, json], {}],
		["without a local header's signature", [part("a.webp", { local: { signature: 7 } }), b], {}],
		["encrypted members", [part("a.webp", { central: { flags: 1 } }), b], {}],
		["an unknown method", [part("a.webp", { central: { flags: 0 }, method: 9 }), b], {}],
		["deflated members", [part("a.webp", { method: 8 }), part("b.webp", { method: 8 })], {}],
		["a wrong CRC-32", [part("a.webp", { central: { crc32: 1 } }), b], {}],
		["a member that claims to be longer", [a, part("b.webp", { central: { compressed: 9000, bytes: 9000 } })], {}],
		["two members in one place", [a, part("b.webp", { central: { offset: 0 } })], {}],
		["a member beyond its end", [a, part("b.webp", { central: { offset: 0x7fffffff } })], {}],
		["bytes before it", [a, b], { prefix: Buffer.alloc(40) }],
		["bytes before it, offsets moved", [a, b], { prefix: Buffer.alloc(40), moved: true }],
		["an entry that is not counted", [a, b], { countError: -1 }],
		["an entry too many counted", [a, b], { countError: 1 }],
		["a directory elsewhere than it says", [a, b], { offsetError: 10 }],
		["a directory of another size", [a, b], { sizeError: 5 }],
		["a directory at its very start", [a, b], { offsetError: -(2 * 3036 + 300_041) }],
	];

	test.each(forms)("%s", async (_, parts, form) => {
		const bytes = buildZip([...parts, FILLER], form);
		expect(await ranged(bytes)).toEqual(await whole(bytes));
	});

	test("a directory longer than the end that is fetched first", async () => {
		const many = Array.from(
			{ length: 6000 },
			(_, at): Part => ({ name: `${String(at).padStart(40, "0")}.webp`, content: Buffer.from([at]) }),
		);
		const bytes = buildZip([...many, FILLER]);
		const asked: [number, number][] = [];
		expect(await ranged(bytes, asked)).toEqual(await whole(bytes));
		// The end twice, what is missing of the directory twice, all members together.
		expect(asked).toHaveLength(5);
	});

	test("no zip at all, and an empty file", async () => {
		for (const bytes of [noise(400_000), Buffer.alloc(0), noise(10)]) expect(await ranged(bytes)).toBe("ZIP_CORRUPT");
	});
});
