import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../support/root.js";
import { benchmarksPage, benchmarksPlot } from "./page.js";
import type { BenchResult, UploadResult } from "./result.js";
import { CACHE } from "./samples.js";

/**
 * Writes docs/benchmarks.md and docs/benchmarks.svg from .cache/bench/result.json (or another name, as argument) and
 * upload.json, where that is there.
 */

/** Written by the benches of this build. */
function read<T>(name: string): T {
	return JSON.parse(readFileSync(join(CACHE, name), "utf8")) as T;
}

const result = read<BenchResult>(process.argv[2] ?? "result.json");
const upload = existsSync(join(CACHE, "upload.json")) ? read<UploadResult>("upload.json") : null;
writeFileSync(join(ROOT, "docs/benchmarks.md"), benchmarksPage(result, upload));
writeFileSync(join(ROOT, "docs/benchmarks.svg"), benchmarksPlot(result));
