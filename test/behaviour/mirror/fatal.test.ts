import { existsSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { FINDINGS, type FindingCode } from "../../../schemas/codes.js";
import { lakeFiles, latestSnapshot } from "../../support/lake.js";
import { type From, type Mirrored, mirror, scratchOf, verify } from "../../support/mirror-run.js";
import { tempDir } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";
import { makeSample, type Planted, type SampleOptions } from "../../tools/sample/make.js";

/** Each fatal code ends as the contract says: told by its code and place, and nothing is half-published. */

const BAD = "train_1";
const GOOD = "test_1";
const SAMPLE = { shards: [BAD, GOOD], images: 12, size: 32 } satisfies SampleOptions;
const ARGS = ["--shards", `${BAD},${GOOD}`];
const SKIP = [...ARGS, "--on-shard-failure", "skip"];
const LONG = 300_000;

let temp: ReturnType<typeof tempDir>;
beforeAll(() => {
	temp = tempDir("fatal");
});
afterAll(() => temp.remove());

/** A new sample with one defect in the first shard, and a path for its lake. */
async function broken(code: FindingCode, variant: string, options: SampleOptions = {}) {
	const base = join(temp.path, `${code}-${variant}-${options.seed ?? 1}`);
	const source = `${base}-source`;
	const defect = { code, shard: BAD, variant };
	const planted = await makeSample(source, { ...SAMPLE, defect, ...options });
	return { source, lake: `${base}-lake`, planted };
}

/** What a reader could see: none of it may exist where nothing was published. */
const VISIBLE = /^(latest\.json|snapshots\/|tables\/.*_delta_log\/)/;

describe("a code of the run ends it before any work, with skip or without", () => {
	const variants: [FindingCode, string, RegExp][] = [
		["SHARD_MISSING", "absent", /images\/train\/train_1\.zip/],
		["METADATA_MISSING", "absent", /metadata-train\.parquet/],
		["METADATA_MISSING", "unreadable", /metadata-train\.parquet/],
		["METADATA_SCHEMA_DRIFT", "type", /metadata-train\.parquet: column rank should be an integer, but is DOUBLE/],
		["METADATA_SCHEMA_DRIFT", "renamed", /metadata-train\.parquet: column rank should be an integer, but is missing/],
		["METADATA_SCHEMA_DRIFT", "missing", /metadata-train\.parquet: column rank should be an integer, but is missing/],
	];

	test.each(variants)(
		"%s, %s",
		async (code, variant, message) => {
			const { source, lake } = await broken(code, variant);
			for (const args of [ARGS, SKIP]) {
				const { code: exit, document } = await mirror({ folder: source }, lake, args);
				expect(exit).toBe(1);
				expect(document).toMatchObject({
					state: "failed",
					exit_code: 1,
					snapshot: null,
					counts: null,
					error: { code, message: expect.stringMatching(message), path: expect.stringMatching(/train/) },
				});
				expect(lakeFiles(lake)).toEqual([]);
			}
		},
		LONG,
	);

	test(
		"but only where its split is asked for",
		async () => {
			const { source, lake } = await broken("METADATA_MISSING", "absent", { seed: 2 });
			expect(await mirror({ folder: source }, lake, ["--shards", GOOD])).toMatchObject({ code: 0 });
		},
		LONG,
	);
});

/** Code, variant and what the shard's message must name. `%` stands for the shard. */
const SHARD_VARIANTS: [code: FindingCode, variant: string, message: string][] = [
	["ZIP_CORRUPT", "truncated", "%"],
	["ZIP_CORRUPT", "count", "%"],
	["ZIP_UNSAFE", "traversal", "%.*escaped\\.webp"],
	["ZIP_UNSAFE", "absolute", "%.*/tmp/escaped\\.webp"],
	["ZIP_UNSAFE", "symlink", "%.*link\\.webp"],
	["ZIP_UNSAFE", "duplicate", "%.*[0-9a-f]{12}\\.webp"],
	["ZIP_UNSAFE", "overlap", "%.*(first|second)\\.webp"],
	["ZIP_UNSAFE", "bomb", "%.*bomb\\.webp"],
	["ZIP_UNSAFE", "backslash", "%.*escaped\\.webp"],
	["ZIP_UNSAFE", "nul", "%.*escaped\\.webp"],
	["ZIP_UNSAFE", "prefix", "%"],
	["JSON_MISSING", "absent", "% has no %\\.json"],
	["JSON_INVALID", "nan", 'images/train/%/%\\.json is not JSON at line 9, column 23: found "N"'],
	// Of twelve rows as written, of eleven lines each, between the brackets' lines.
	["JSON_INVALID", "trailing-comma", 'images/train/%/%\\.json is not JSON at line 134, column 1: found "]"'],
	["JSON_INVALID", "not-array", "images/train/%/%\\.json holds no array of rows"],
	["JSON_INVALID", "empty", "images/train/%/%\\.json holds no rows at all"],
	["REJECT_RATIO_EXCEEDED", "empty", "%: 1 of 12 rows were rejected \\(8\\.33%%\\), more than 5\\.00%%"],
];

/** The shard that has the variant. */
const shardOf = (at: number): string => `train_${at + 1}`;
const BAD_SHARDS = SHARD_VARIANTS.map((_, at) => shardOf(at));
const WRONG_BYTES = shardOf(BAD_SHARDS.length);

function detailOf(at: number): RegExp {
	const [, , message = ""] = SHARD_VARIANTS[at] ?? [];
	return new RegExp(message.replaceAll(/%%?/g, (mark) => (mark === "%" ? shardOf(at) : "%")));
}

/** A source whose every train shard has another fatal code, beside one good shard. Rows and metadata are as they would be. */
async function manyBroken(): Promise<string> {
	const source = join(temp.path, "many");
	await makeSample(source, { ...SAMPLE, shards: [...BAD_SHARDS, WRONG_BYTES, GOOD] });
	for (const [at, [code, variant]] of SHARD_VARIANTS.entries()) {
		const one = join(temp.path, `many-${at}`);
		const defect = { code, shard: shardOf(at), variant };
		await makeSample(one, { ...SAMPLE, shards: [shardOf(at)], defect });
		renameSync(join(one, zipOf(shardOf(at))), join(source, zipOf(shardOf(at))));
	}
	return source;
}

const zipOf = (shard: string): string => `images/train/${shard}.zip`;

/** What is kept of a failed shard: its findings, and the size of its zip. */
function kept(lake: string, shard: string): { findings: unknown[]; zipBytes: number | null } {
	const failed = join(scratchOf(lake), "failed");
	const [folder, ...others] = readdirSync(failed).filter((name) => name.startsWith(`${shard}-`));
	expect(others).toEqual([]);
	const path = join(failed, folder ?? "");
	const lines = readFileSync(join(path, "findings.jsonl"), "utf8").split("\n").slice(0, -1);
	const zip = join(path, `${shard}.zip`);
	return {
		findings: lines.map((line): unknown => JSON.parse(line)),
		zipBytes: existsSync(zip) ? statSync(zip).size : null,
	};
}

describe("codes of shards", () => {
	let source: string;

	beforeAll(async () => {
		source = await manyBroken();
	}, LONG);

	test("all of them are tried", () => {
		const tried = new Set([...SHARD_VARIANTS.map(([code]) => code), "SHARD_HASH_MISMATCH"]);
		const known = Object.entries(FINDINGS).filter(([, { level }]) => level === "shard");
		expect(tried).toEqual(new Set(known.map(([code]) => code)));
	});

	describe("fail the run, and nothing is published", () => {
		let lake: string;
		let run: Mirrored;

		beforeAll(async () => {
			lake = join(temp.path, "fail-lake");
			run = await mirror({ folder: source }, lake, ["--shards", [...BAD_SHARDS, GOOD].join(",")]);
		}, LONG);

		test("exit code 1, every failed shard named", () => {
			expect(run).toMatchObject({
				code: 1,
				document: { state: "failed", exit_code: 1, snapshot: null, number: null, counts: null },
			});
			expect(run.document.error).toMatchObject({ code: "SHARD_FAILED" });
			for (const shard of BAD_SHARDS) expect(run.document.error?.message).toContain(shard);
			expect(run.document.shards.at(-1)).toEqual({ shard: GOOD, state: "done", code: null, detail: null });
		});

		test.each(SHARD_VARIANTS.map(([code, variant], at) => ({ code, variant, at })))(
			"$code, $variant, says where",
			({ code, at }) => {
				const detail = expect.stringMatching(detailOf(at));
				expect(run.document.shards[at]).toEqual({ shard: shardOf(at), state: "failed", code, detail });
			},
		);

		test("a reader sees nothing, and of the failed shards nothing is in the lake", () => {
			expect(lakeFiles(lake).filter((path) => VISIBLE.test(path))).toEqual([]);
			expect(lakeFiles(lake).filter((path) => path.includes("train"))).toEqual([]);
			expect(existsSync(join(temp.path, "escaped.webp")) || existsSync("/tmp/escaped.webp")).toBe(false);
		});
	});

	describe("with --on-shard-failure skip, from the Hub, let the others be published", () => {
		const all = [...BAD_SHARDS, WRONG_BYTES, GOOD];
		let lake: string;
		let hub: HubHandle;
		let run: Mirrored;

		beforeAll(async () => {
			lake = join(temp.path, "skip-lake");
			hub = await startHub(source);
			const match = { route: "cdn", path: zipOf(WRONG_BYTES) } as const;
			await hub.faults([{ match, times: 2, kind: "wrong-bytes", bytes: 1000 }]);
			const args = ["--shards", all.join(","), "--on-shard-failure", "skip"];
			run = await mirror({ endpoint: hub.endpoint }, lake, args);
		}, LONG);
		afterAll(() => hub?.stop());

		test("exit code 3, published", () => {
			expect(run).toMatchObject({ code: 3, document: { state: "published", exit_code: 3, number: 1, error: null } });
			expect(run.document.shards.map(({ state }) => state)).toEqual([...all.slice(0, -1).map(() => "skipped"), "done"]);
		});

		test("the snapshot holds the good shard, and names each skipped one with code and reason", async () => {
			const snapshot = latestSnapshot(lake);
			expect(snapshot.shards.map(({ shard }) => shard)).toEqual([GOOD]);
			const codes = [...SHARD_VARIANTS.map(([code]) => code), "SHARD_HASH_MISMATCH"];
			expect(snapshot.skipped.map(({ code }) => code)).toEqual(codes);
			expect(snapshot.skipped).toEqual(
				run.document.shards.slice(0, -1).map(({ shard, code, detail }) => ({ shard, code, detail })),
			);
			expect(snapshot.skipped.at(-1)?.detail).toContain(WRONG_BYTES);
			expect(await verify(lake)).toEqual({ code: 0, problems: [] });
		});

		test("each downloaded zip is kept for a person to look at; bytes of the wrong hash are not", () => {
			for (const shard of BAD_SHARDS) {
				expect({ shard, ...kept(lake, shard) }).toMatchObject({ zipBytes: statSync(join(source, zipOf(shard))).size });
			}
			expect(readdirSync(join(scratchOf(lake), "failed")).some((name) => name.startsWith(`${WRONG_BYTES}-`))).toBe(
				false,
			);
		});

		test(
			"again, with nothing else to do: exit code 3, no new snapshot, and what can be done now is done",
			async () => {
				const again = await mirror({ endpoint: hub.endpoint }, lake, [
					"--shards",
					[shardOf(0), GOOD].join(","),
					"--on-shard-failure",
					"skip",
				]);
				expect(again).toMatchObject({ code: 3, document: { state: "up_to_date", number: 1 } });
				const mended = await mirror({ endpoint: hub.endpoint }, lake, ["--shards", WRONG_BYTES]);
				expect(mended).toMatchObject({ code: 0, document: { state: "published", number: 2 } });
				expect(latestSnapshot(lake).skipped.map(({ shard }) => shard)).toEqual(BAD_SHARDS);
			},
			LONG,
		);
	});
});

describe("the reject ratio", () => {
	let from: From;
	let lake: string;
	let planted: Planted;

	beforeAll(async () => {
		const made = await broken("REJECT_RATIO_EXCEEDED", "empty", { seed: 9 });
		from = { folder: made.source };
		lake = made.lake;
		planted = made.planted;
	}, LONG);

	test(
		"judges a new shard; its findings are told and kept",
		async () => {
			const { code, document, stderr } = await mirror(from, lake, ARGS);
			expect(code).toBe(1);
			expect(document.findings).toEqual(planted.shards[BAD]?.findings);
			expect(stderr).toContain(join(scratchOf(lake), "failed"));
			const { findings, zipBytes } = kept(lake, BAD);
			expect(findings).toEqual([
				expect.objectContaining({ code: "IMAGE_EMPTY", image_path: expect.stringContaining("images/train/train_1/") }),
			]);
			// The folder's own zip is where it was.
			expect(zipBytes).toBeNull();
		},
		LONG,
	);

	test(
		"raised, lets it pass, and what was kept of the failure is gone",
		async () => {
			const run = await mirror(from, lake, [...ARGS, "--max-reject-ratio", "0.1"]);
			expect(run).toMatchObject({ code: 0, document: { state: "published", number: 1 } });
			expect(run.document.shards.map(({ state }) => state)).toEqual(["done", "reused"]);
			expect(readdirSync(join(scratchOf(lake), "failed"))).toEqual([]);
		},
		LONG,
	);

	test(
		"lowered, fails what is published already, and changes nothing",
		async () => {
			const before = lakeFiles(lake);
			const run = await mirror(from, lake, [...ARGS, "--max-reject-ratio", "0.08"]);
			expect(run).toMatchObject({ code: 1, document: { state: "failed", error: { code: "SHARD_FAILED" } } });
			expect(run.document.shards[0]).toMatchObject({ shard: BAD, state: "failed", code: "REJECT_RATIO_EXCEEDED" });
			expect(run.document.findings).toMatchObject({ IMAGE_EMPTY: 1 });
			expect(lakeFiles(lake)).toEqual(before);
		},
		LONG,
	);

	test(
		"lowered with skip, leaves the published shard in place: exit code 3",
		async () => {
			const run = await mirror(from, lake, [...SKIP, "--max-reject-ratio", "0.08"]);
			expect(run).toMatchObject({ code: 3, document: { state: "up_to_date", number: 1, error: null } });
			expect(run.document.shards[0]).toMatchObject({ shard: BAD, state: "skipped", code: "REJECT_RATIO_EXCEEDED" });
			expect(latestSnapshot(lake).shards.map(({ shard }) => shard)).toEqual([BAD, GOOD]);
		},
		LONG,
	);

	test(
		"raised again, is up to date: exit code 0",
		async () => {
			const run = await mirror(from, lake, [...ARGS, "--max-reject-ratio", "0.1"]);
			expect(run).toMatchObject({ code: 0, document: { state: "up_to_date", number: 1 } });
		},
		LONG,
	);
});
