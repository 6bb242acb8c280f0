import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterAll, describe, expect, test } from "@jest/globals";
import { extractMember } from "../../../../../infra/adapters/archive/extract.js";
import { openZip } from "../../../../../infra/adapters/archive/zip.js";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import { sha256Of } from "../../../../../pipelines/lake/snapshot.js";
import type { MemberRef } from "../../../../../pipelines/ports/archive.js";
import { shardFiles } from "../../../../../pipelines/shards.js";
import { tempDir } from "../../../../support/root.js";
import { buildZip, type Part } from "../../../../tools/fixtures/make-zips.js";

/** A member's bytes leave the archive as they are, or with an error. */

const temp = tempDir("extract");
afterAll(temp.remove);
const { signal } = new AbortController();
const files = shardFiles(imageRewardDb, "train_1");

/** Larger than what is read at once. */
const content = Buffer.alloc(3_000_000, "twelve bytes and some more\n");
const sha256 = sha256Of(content);

let made = 0;
async function memberOf(part: Partial<Part>): Promise<{ zip: string; ref: MemberRef }> {
	made += 1;
	const zip = join(temp.path, `${made}.zip`);
	writeFileSync(zip, buildZip([{ name: "a.webp", content, ...part }]));
	const [member] = (await openZip(zip, files, signal)).members;
	if (!member) throw new Error("the zip has no member");
	return { zip, ref: member.ref };
}

function target(): string {
	made += 1;
	return join(temp.path, `${made}.out`);
}

describe("the content comes out", () => {
	test.each<[string, Partial<Part>]>([
		["of a stored member", {}],
		["of a packed one", { method: 8 }],
		["of one whose CRC-32 is wrong", { central: { crc32: 1 } }],
		["of none", { content: Buffer.alloc(0) }],
	])("%s", async (_, part) => {
		const { ref } = await memberOf(part);
		const file = target();
		const wanted = part.content ?? content;
		expect(await extractMember(ref, file)).toBe(sha256Of(wanted));
		expect(readFileSync(file).equals(wanted)).toBe(true);
	});

	test("of a loose file, which stays where it is", async () => {
		const [path, file] = [target(), target()];
		writeFileSync(path, content);
		expect(await extractMember({ kind: "file", path, bytes: content.length }, file)).toBe(sha256);
		expect([readFileSync(path).length, readFileSync(file).length]).toEqual([content.length, content.length]);
	});
});

describe("SOURCE_CHANGED", () => {
	test("a zip that was cut short since", async () => {
		const { zip, ref } = await memberOf({});
		truncateSync(zip, 1_000_000);
		await expect(extractMember(ref, target())).rejects.toMatchObject({ code: "SOURCE_CHANGED", path: zip });
	});

	test("a packed member that unpacks to more than it said", async () => {
		const { ref } = await memberOf({ content: deflateRawSync(content), method: 0 });
		if (ref.kind !== "zip") throw new Error("no zip");
		const file = target();
		const lying = { ...ref, method: 8, bytes: 1000 };
		await expect(extractMember(lying, file)).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
		expect(readFileSync(file).length).toBeLessThanOrEqual(1000);
	});

	test("a loose file of another size, or gone", async () => {
		const path = target();
		writeFileSync(path, content);
		const ref = { kind: "file" as const, path, bytes: content.length - 1 };
		await expect(extractMember(ref, target())).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
		rmSync(path);
		await expect(extractMember(ref, target())).rejects.toMatchObject({ code: "SOURCE_CHANGED" });
	});
});

test("a file that is there is not overwritten", async () => {
	const { ref } = await memberOf({});
	const file = target();
	writeFileSync(file, "mine");
	await expect(extractMember(ref, file)).rejects.toMatchObject({ code: "EEXIST" });
	expect([existsSync(file), readFileSync(file, "utf8")]).toEqual([true, "mine"]);
});
