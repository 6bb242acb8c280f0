import { describe, expect, test } from "@jest/globals";
import { imageRewardDb } from "../../../../../pipelines/datasets/imagereward-db/dataset.js";
import { knownRows, requireListed } from "../../../../../pipelines/mirror/plan/shard-work.js";
import { hex, listing, receipt, snapshot } from "../../../../support/values.js";

/** Work is known before any is done: what the source lacks is named, and what the lake knows is not read again. */

const ROWS = hex("rows");

describe("what the source must have", () => {
	test("SHARD_MISSING names every shard that is not there, by its path", () => {
		const wanted = ["train_1", "train_2", "train_3"];
		expect(() => requireListed(listing("c2", { train_2: hex("x") }), wanted, ["train"], imageRewardDb)).toThrow(
			expect.objectContaining({
				code: "SHARD_MISSING",
				message: expect.stringMatching(/2 shards: images\/train\/train_1\.zip, images\/train\/train_3\.zip$/),
			}),
		);
	});

	test("METADATA_MISSING names every file, of the splits asked for alone", () => {
		const zips = { train_1: hex("x"), test_1: hex("y") };
		const metadata = new Map([["validation" as const, { path: "x", bytes: 1, sha256: null, gitOid: null }]]);
		const found = listing("c2", zips, { metadata });
		expect(() => requireListed(found, ["train_1", "test_1"], ["train", "test"], imageRewardDb)).toThrow(
			expect.objectContaining({
				code: "METADATA_MISSING",
				message: expect.stringMatching(/metadata-train\.parquet, metadata-test\.parquet$/),
			}),
		);
	});
});

describe("whether the lake's records alone tell the metadata's hashes", () => {
	const own = receipt("train_1", "zip", {
		inputs: { zip_sha256: hex("zip"), zip_bytes: 1000, metadata_rows_sha256: ROWS },
	});
	const receipts = new Map([[own.work_id, own]]);
	const base = snapshot(1, "c1", [own]);
	base.source.metadata = [{ split: "train", path: "metadata-train.parquet", sha256: hex("file"), bytes: 5 }];
	const file = (name: string) => ({ path: "metadata-train.parquet", bytes: 5, sha256: hex(name), gitOid: null });
	const listed = (name: string) =>
		listing("c2", { train_1: hex("zip") }, { metadata: new Map([["train" as const, file(name)]]) });

	test("they do where the source lists the very file that was recorded", () => {
		expect(knownRows(base, receipts, listed("file"), ["train_1"])).toEqual(new Map([["train_1", ROWS]]));
	});

	test("they do not where the file is another, the shard is new, or was last seen at another commit", () => {
		expect(knownRows(base, receipts, listed("other file"), ["train_1"])).toBeNull();
		expect(knownRows(base, receipts, listed("file"), ["train_1", "train_2"])).toBeNull();
		expect(knownRows(base, new Map(), listed("file"), ["train_1"])).toBeNull();
		expect(knownRows(null, receipts, listed("file"), ["train_1"])).toBeNull();
		const carried = { ...base, source: { ...base.source, commit: "c9" } };
		expect(knownRows(carried, receipts, listed("file"), ["train_1"])).toBeNull();
	});
});
