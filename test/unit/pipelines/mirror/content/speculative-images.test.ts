import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { MemberReader } from "../../../../../infra/adapters/archive/member.js";
import { openZip } from "../../../../../infra/adapters/archive/zip.js";
import { arrivedImages } from "../../../../../infra/adapters/archive/zip-arrived.js";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import { SpeculativeImages } from "../../../../../pipelines/mirror/content/speculative-images.js";
import type { ArchiveReader, MemberRef } from "../../../../../pipelines/ports/archive.js";
import type { ImagePool, ImageResult, ImageTask } from "../../../../../pipelines/ports/images.js";
import { shardFiles } from "../../../../../pipelines/shards.js";
import { DEFAULT_SETTINGS } from "../../../../../schemas/settings.js";
import { tempDir } from "../../../../support/root.js";
import { badImage, goodImage } from "../../../../support/values.js";
import { buildZip, type Part } from "../../../../tools/fixtures/make-zips.js";

/** Images examined while their zip arrives save time, and decide nothing that the whole zip would not. */

const temp = tempDir("early");
afterAll(temp.remove);
const { signal } = new AbortController();

function picture(name: string, bytes: number): Part {
	return { name, content: Buffer.alloc(bytes, name) };
}

function zipFile(name: string, parts: Part[]): { path: string; bytes: Buffer } {
	const path = join(temp.path, name);
	const bytes = buildZip(parts);
	writeFileSync(path, bytes);
	return { path, bytes };
}

describe("members are found while their zip arrives", () => {
	const parts = [
		picture("a.webp", 5000),
		picture("train_1.json", 40),
		picture("train_1/b.webp", 9000),
		picture("c.webp", 1),
	];

	test("all of them, and as the directory has them, wherever the bytes are cut", async () => {
		const { path, bytes } = zipFile("whole.zip", parts);
		const { members } = await openZip(path, shardFiles(imageRewardDb, "train_1"), signal);
		const listed = members.map(({ ref }) => ref);
		for (const step of [1, 31, 4999, 5100, bytes.length]) {
			const refs: MemberRef[] = [];
			let next: number | null = 0;
			for (let there = step; next !== null && there - step < bytes.length; there += step) {
				const found = arrivedImages(path, { from: next, to: Math.min(there, bytes.length) }, "webp");
				refs.push(...found.refs);
				next = found.next;
			}
			expect(refs).toEqual(listed);
			// The directory's own signature ends the walk.
			expect(next).toBeNull();
		}
	});

	test.each([
		["is encrypted", 0x01],
		["has its sizes behind its data", 0x08],
	])("not beyond one that %s", (_, flags) => {
		const { path, bytes } = zipFile("odd.zip", [picture("a.webp", 10), picture("b.webp", 10), picture("c.webp", 10)]);
		const [, second] = arrivedImages(path, { from: 0, to: bytes.length }, "webp").refs;
		if (second?.kind !== "zip") throw new Error("no second member");
		bytes.writeUInt16LE(flags, second.headerOffset + 6);
		writeFileSync(path, bytes);
		const { refs, next } = arrivedImages(path, { from: 0, to: bytes.length }, "webp");
		expect([refs.length, next]).toEqual([1, null]);
	});

	test("and none in what is no zip", () => {
		const path = join(temp.path, "page.html");
		writeFileSync(path, "<html>".repeat(100));
		expect(arrivedImages(path, { from: 0, to: 600 }, "webp")).toEqual({ refs: [], next: null });
	});
});

test("a member is read from a zip that has grown since it was opened", () => {
	const parts = [picture("a.webp", 100), picture("b.webp", 100)];
	const { path, bytes } = zipFile("growing.zip", parts);
	const { refs } = arrivedImages(path, { from: 0, to: bytes.length }, "webp");
	writeFileSync(path, bytes.subarray(0, 150));
	const reader = new MemberReader();
	expect(reader.read(refs[0] as MemberRef)).toMatchObject({ ok: true });
	expect(reader.read(refs[1] as MemberRef)).toMatchObject({ ok: false, code: "MEMBER_UNREADABLE" });
	appendFileSync(path, bytes.subarray(150));
	expect(reader.read(refs[1] as MemberRef)).toMatchObject({ ok: true, content: parts[1]?.content });
	reader.close();
});

describe("an early verdict counts", () => {
	const MB = 1 << 20;
	const ref = (headerOffset: number, crc32 = 1): MemberRef => {
		const sizes = { compressedBytes: 10, bytes: 10 };
		return { kind: "zip", zip: "/zip", headerOffset, ...sizes, crc32, method: 0, encrypted: false };
	};
	const task = (member: MemberRef, check: ImageTask["check"] = "image"): ImageTask => ({
		ref: member,
		check,
		format: "webp",
		keep: true,
	});

	/** One member a megabyte; the pool answers by the member's place. */
	function early(answer: (place: number) => ImageResult | Error): {
		images: SpeculativeImages;
		run: number[];
		stopped: () => boolean;
	} {
		const run: number[] = [];
		let heard: AbortSignal | null = null;
		const pool: ImagePool = {
			async run({ ref: member }, _settings, stop) {
				heard = stop;
				const place = member.kind === "zip" ? member.headerOffset / MB : -1;
				run.push(place);
				const outcome = answer(place);
				if (outcome instanceof Error) throw outcome;
				return outcome;
			},
			close: async () => {},
		};
		const archives = {
			arrived(_zip: string, { from, to }: { from: number; to: number }) {
				const refs: MemberRef[] = [];
				let at = from;
				for (; at + MB <= to; at += MB) refs.push(ref(at));
				return { refs, next: at };
			},
		} as Pick<ArchiveReader, "arrived"> as ArchiveReader; // the rest is not asked for
		const images = new SpeculativeImages({ archives, images: pool }, "webp", DEFAULT_SETTINGS, signal);
		return { images, run, stopped: () => heard?.aborted ?? false };
	}

	test("for the very same task, once the bytes were there", async () => {
		const { images, run } = early((place) => goodImage(`${place}`));
		for (let i = 0; i < 40; i++) images.arrived("/zip", MB / 16);
		expect(run).toEqual([0, 1]);
		expect(await images.resultOf(task(ref(MB)))).toEqual(goodImage("1"));
		expect(await images.resultOf(task(ref(MB, 2)))).toBeNull();
		expect(await images.resultOf(task(ref(MB), "hash"))).toBeNull();
		expect(await images.resultOf(task(ref(2 * MB)))).toBeNull();
	});

	test("unless it was a rejection, or no verdict at all", async () => {
		const { images } = early((place) => (place === 0 ? badImage("IMAGE_TRUNCATED") : new Error("no disk")));
		images.arrived("/zip", 2 * MB);
		expect(await images.resultOf(task(ref(0)))).toBeNull();
		expect(await images.resultOf(task(ref(MB)))).toBeNull();
	});

	test("not after the file began anew: it is taken up from its start", async () => {
		const { images, run } = early((place) => goodImage(`${place}`));
		images.arrived("/zip", 2 * MB);
		images.restart();
		expect(await images.resultOf(task(ref(0)))).toBeNull();
		images.arrived("/zip", MB);
		expect(run).toEqual([0, 1, 0]);
		expect(await images.resultOf(task(ref(0)))).toEqual(goodImage("0"));
	});

	test("and what is under way when the shard ends is given up", () => {
		const { images, stopped } = early((place) => goodImage(`${place}`));
		images.arrived("/zip", MB);
		images.close();
		expect(stopped()).toBe(true);
	});
});
