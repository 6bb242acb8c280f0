import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ExportLab } from "../../support/export-lab.js";

/** Exports are whole or not there, the same every time, and never in the way of something else. */

const FORMATS = ["hf", "webdataset", "imagereward", "files"];
const SHARDS = ["train_1", "train_5", "test_1"];

let lab: ExportLab;
beforeAll(async () => {
	lab = await ExportLab.open("export-runs", { shards: SHARDS, images: 12, size: 32 });
	for (const format of FORMATS) await lab.export(format, format);
}, 300_000);
afterAll(() => lab.close());

describe.each(FORMATS)("an export as %s", (format) => {
	test("is the same, byte for byte, elsewhere", async () => {
		expect(await lab.export(format, `${format}-2`)).toMatchObject({ state: "exported", exit_code: 0 });
		expect(lab.digest(`${format}-2`)).toBe(lab.digest(format));
	});

	test("is up to date when it is asked for again", async () => {
		const before = lab.digest(format);
		expect(await lab.export(format, format)).toMatchObject({ state: "up_to_date", exit_code: 0 });
		expect(lab.digest(format)).toBe(before);
	});

	test.each([1, 4])(
		"killed after its file %d shows nothing half-written, and goes on to the same bytes",
		async (files) => {
			const out = `${format}-killed-${files}`;
			await killAfter(format, out, files);
			// It may have come as far as its last renames: then what vouches for the rest is not there, or all is.
			const shown = lab.names(out).filter((name) => name !== ".irlake-export");
			if (shown.includes("export.json")) expect(shown.filter((name) => name !== "README.md")).toEqual(whole(format));
			else expect(shown).not.toContain("README.md");
			expect(await lab.export(format, out)).toMatchObject({ exit_code: 0 });
			expect(lab.digest(out)).toBe(lab.digest(format));
		},
		120_000,
	);
});

/** Names at the top of the whole export, its card aside, which comes after the record. */
function whole(format: string): string[] {
	return lab.names(format).filter((name) => name !== "README.md");
}

/** Kills an export once it has finished so many files, or before it could show itself. */
async function killAfter(format: string, out: string, files: number): Promise<void> {
	const child = await lab.start(format, out);
	const done = join(lab.path(out), ".irlake-export/done");
	const finished = () => (existsSync(done) ? readFileSync(done, "utf8").split("\n").length - 1 : 0);
	await new Promise<void>((resolve) => {
		const timer = setInterval(() => {
			// `export.json` is the last file of every format; the renames come after it.
			if (finished() < files && child.child.exitCode === null) return;
			clearInterval(timer);
			child.kill("SIGKILL");
			resolve();
		}, 1);
	});
	const { signal } = await child.ended;
	if (signal !== "SIGKILL") rmSync(lab.path(out), { recursive: true });
}

test("interrupted, it ends with 130 and goes on", async () => {
	const child = await lab.start("hf", "interrupted");
	const aside = join(lab.path("interrupted"), ".irlake-export/aside");
	await new Promise<void>((resolve) => {
		const timer = setInterval(() => {
			if (!existsSync(aside)) return;
			clearInterval(timer);
			child.kill("SIGINT");
			resolve();
		}, 1);
	});
	expect((await child.ended).code).toBe(130);
	expect(lab.names("interrupted")).toEqual([".irlake-export"]);
	expect(await lab.export("hf", "interrupted")).toMatchObject({ state: "exported" });
	expect(lab.digest("interrupted")).toBe(lab.digest("hf"));
});

test("another export is refused in its place, and replaces it when asked to", async () => {
	await lab.export("hf", "place");
	const before = lab.digest("place");
	const refused = await lab.export("webdataset", "place");
	expect(refused).toMatchObject({ exit_code: 2, state: "failed", error: { code: "EXPORT_DIFFERS" } });
	expect(await lab.export("hf", "place", "--pairs", "embed")).toMatchObject({ error: { code: "EXPORT_DIFFERS" } });
	expect(lab.digest("place")).toBe(before);
	expect(await lab.export("webdataset", "place", "--overwrite")).toMatchObject({ state: "exported", exit_code: 0 });
	expect(lab.digest("place")).toBe(lab.digest("webdataset"));
});

test("a folder with other files is never touched", async () => {
	mkdirSync(lab.path("mine"));
	writeFileSync(join(lab.path("mine"), "notes.txt"), "mine");
	const refused = await lab.export("hf", "mine", "--overwrite");
	expect(refused).toMatchObject({ exit_code: 2, error: { code: "OUT_NOT_EMPTY" } });
	expect(lab.names("mine")).toEqual(["notes.txt"]);
});

test("an export with a damaged file is made anew", async () => {
	await lab.export("hf", "damaged");
	truncateSync(join(lab.path("damaged"), "data/rows/test_1-000.parquet"), 100);
	expect(await lab.export("hf", "damaged")).toMatchObject({ state: "exported", exit_code: 0 });
	expect(lab.digest("damaged")).toBe(lab.digest("hf"));
});

test("a damaged object of the lake fails the export, and names it", async () => {
	const rows = lab.path("lake/objects/sha256");
	const [folder = ""] = lab.names("lake/objects/sha256");
	const [object = ""] = lab.names(`lake/objects/sha256/${folder}`);
	const path = join(rows, folder, object);
	const good = readFileSync(path);
	writeFileSync(path, Buffer.alloc(good.length));
	try {
		const failed = await lab.export("hf", "from-damaged");
		expect(failed).toMatchObject({
			exit_code: 1,
			error: { code: "LAKE_DAMAGED", path: `objects/sha256/${folder}/${object}` },
		});
		expect(lab.names("from-damaged")).not.toContain("README.md");
	} finally {
		writeFileSync(path, good);
	}
});

test.each([
	[["--shards", "train_9"], "USAGE"],
	[["--split", "validation"], "USAGE"],
	[["--snapshot", "7"], "SNAPSHOT_NOT_FOUND"],
	[["--snapshot", "newest"], "USAGE"],
	[["--shard-size", "many"], "USAGE"],
	[["--lake", "/nowhere/lake"], "LAKE_NOT_FOUND"],
])("%j is refused before anything is written", async (args, code) => {
	expect(await lab.export("hf", "refused", ...args)).toMatchObject({ exit_code: 2, error: { code } });
	expect(lab.names("refused")).toEqual([]);
});

test("some shards of an older snapshot, by its number or its path", async () => {
	const [snapshot = ""] = lab.names("lake/snapshots");
	const some = ["--shards", "test_1", "--snapshot"];
	const byNumber = await lab.export("imagereward", "by-number", ...some, "1");
	expect(byNumber).toMatchObject({ state: "exported", shards: ["test_1"], counts: { images: 12 } });
	await lab.export("imagereward", "by-path", ...some, `snapshots/${snapshot}`);
	expect(lab.digest("by-path")).toBe(lab.digest("by-number"));
	expect(lab.names("by-path")).toEqual(["export.json", "images", "test.json"]);
});
