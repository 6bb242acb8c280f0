import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { CASES, GOLDEN_FILE, GoldenLab } from "./cases.js";
import { readDigests } from "./digest.js";

/**
 * The same input gives the bytes that are recorded in golden.json: nobody's lake changes by a change of the code.
 *
 * A recorded value may change only in a commit `golden: …` that changes nothing else and gives the reason; objects, tables
 * and receipts of ImageRewardDB never do. Such a commit runs `node dist/test/golden/write.js`. What other people's code
 * writes is of its version: DuckDB's stands inside every parquet file (the sample's metadata too, so in the Hub's commit),
 * libvips' and libwebp's encoders, which sharp brings, make the re-encoded images, a few planted defects, and the settings
 * that name them. Their new version is such a reason, and the only one for tables and re-encoded images.
 */

const expected = readDigests(GOLDEN_FILE);
let golden: GoldenLab;

beforeAll(async () => {
	golden = await GoldenLab.open();
}, 120_000);
afterAll(() => golden.close());

test.each(CASES)("$name: the bytes are those recorded", async ({ name, make }) => {
	expect(await make(golden)).toEqual(expected[name]);
});

test("every recorded value has its case", () => {
	expect(Object.keys(expected)).toEqual(CASES.map(({ name }) => name));
});
