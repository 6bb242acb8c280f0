import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { ExportLab } from "../support/export-lab.js";
import { pythonVerdict, requireOrSkip } from "../support/python.js";
import { REAL_DATA } from "../support/root.js";

/** The real test split, exported: what the authors released comes out again, and memory stays flat. */

const LONG = 900_000;
/** Peak of the whole process, DuckDB's memory included. */
const MOST_RSS_MB = 700;
const data = REAL_DATA ?? "";
if (REAL_DATA === null)
	process.stderr.write("No ../shared/data/imagereward: exports of the real split are not tested.\n");
const describeReal = REAL_DATA === null ? describe.skip : await requireOrSkip();

const Authors = z.object({
	prompts: z.int(),
	images: z.int(),
	keys: z.array(z.unknown()),
	problems: z.array(z.string()),
});

describeReal("the real test split", () => {
	let lab: ExportLab;
	beforeAll(async () => {
		const sample = { from: data, shards: ["test_1", "test_2"] };
		// No export tells what decoding would: real-data.test.ts has the pixels.
		lab = await ExportLab.open("export-real", sample, undefined, { IRLAKE_VERIFY: "structure" });
	}, LONG);
	afterAll(() => lab.close());

	test(
		"as imagereward equals the authors' own test.json, and each generation is a file",
		async () => {
			expect(await lab.export("imagereward", "training")).toMatchObject({
				counts: { images: 2720, prompts: 466, pairs: 6399, ties: 831 },
			});
			const args = ["authors", lab.path("training"), join(data, "test.json")];
			const verdict = await pythonVerdict(Authors, "check_exports.py", args);
			expect(verdict).toEqual({ prompts: 466, images: 2720, keys: [], problems: [] });
		},
		LONG,
	);

	test.each(["hf", "webdataset"])(
		"as %s is written in less than 700 MB of memory",
		async (format) => {
			const child = await lab.start(format, format, "--shards", "test_1");
			let peak = 0;
			// The kernel keeps the highest value, so looking now and then misses only the very end.
			const timer = setInterval(() => {
				peak = Math.max(peak, residentPeak(child.pid));
			}, 50);
			const { code } = await child.ended;
			clearInterval(timer);
			expect(code).toBe(0);
			process.stderr.write(`export ${format}: peak RSS ${Math.round(peak)} MB\n`);
			expect(peak).toBeGreaterThan(50);
			expect(peak).toBeLessThan(MOST_RSS_MB);
		},
		LONG,
	);
});

/** Highest resident size so far, in MB; 0 once the process is gone. */
function residentPeak(pid: number): number {
	try {
		return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
	} catch {
		return 0;
	}
}
