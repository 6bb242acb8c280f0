import { writeFileSync } from "node:fs";
import { CASES, GOLDEN_FILE, GoldenLab } from "./cases.js";
import type { Digest } from "./digest.js";
import { exportsOfOldLake, OLD_EXPORTS_FILE } from "./old-lake.js";

/**
 * `node dist/test/golden/write.js` records what the code makes now; golden.test.ts says when that may be done. Further
 * arguments are every mirror's, such as `--concurrency 1`: they must make no difference.
 */

function record(file: string, digests: Record<string, Digest>): void {
	writeFileSync(file, `${JSON.stringify(digests, null, "\t")}\n`);
}

const golden = await GoldenLab.open(process.argv.slice(2));
try {
	const digests: Record<string, Digest> = {};
	for (const { name, make } of CASES) digests[name] = await make(golden);
	record(GOLDEN_FILE, digests);
} finally {
	await golden.close();
}
record(OLD_EXPORTS_FILE, await exportsOfOldLake());
