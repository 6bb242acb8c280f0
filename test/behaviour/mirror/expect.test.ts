import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { DuckDBInstance } from "../../../infra/adapters/duckdb/node-api.js";
import { documentOf, runCli } from "../../support/cli.js";
import { digestOf } from "../../support/lake.js";
import { mirror, scratchOf } from "../../support/mirror-run.js";
import { ROOT, tempDir } from "../../support/root.js";
import { makeSample, type Planted } from "../../tools/sample/make.js";

/** `--expect` tells exactly the findings that its file does not name, of new, reused and failed shards, and changes nothing. */

const SHARDS = ["train_1", "validation_2"];
const ALL = ["--shards", SHARDS.join(",")];
const LONG = 300_000;

let temp: ReturnType<typeof tempDir>;
let source: string;
let lake: string;
let planted: Planted;
/** Rows of the lake's quarantine, as the page's SQL exports them. */
let known: string[];

beforeAll(async () => {
	temp = tempDir("expect");
	[source, lake] = [join(temp.path, "source"), join(temp.path, "lake")];
	planted = await makeSample(source, { shards: SHARDS, defects: true, size: 32 });
	expect(await mirror({ folder: source }, lake, ALL)).toMatchObject({ code: 0 });
	known = await exportKnown();
}, LONG);
afterAll(() => temp.remove());

/** Runs the SQL of docs/quarantine.md as it stands there. */
async function exportKnown(): Promise<string[]> {
	const page = readFileSync(join(ROOT, "docs/quarantine.md"), "utf8");
	const [sql = ""] = (page.split("## Known findings\n")[1]?.split("```sql\n")[1] ?? "").split("```");
	const file = join(temp.path, "known.jsonl");
	const instance = await DuckDBInstance.create(":memory:");
	const connection = await instance.connect();
	try {
		await connection.runAndReadAll(
			sql.replaceAll("'lake/", `'${temp.path}/lake/`).replace("'known.jsonl'", `'${file}'`),
		);
	} finally {
		connection.closeSync();
		instance.closeSync();
	}
	return readFileSync(file, "utf8").trim().split("\n");
}

/** `irlake mirror --expect` of these lines. */
async function judged(lines: string[], where: string, ...more: string[]) {
	const file = join(temp.path, "expected.jsonl");
	writeFileSync(file, `${lines.join("\n")}\n`);
	return mirrorWith(file, where, ...more);
}

async function mirrorWith(file: string, where: string, ...more: string[]) {
	const place = ["--source", `file://${source}`, "--lake", where, "--scratch", scratchOf(where)];
	return documentOf(await runCli(["mirror", ...place, ...ALL, "--expect", file, ...more, "--json"]));
}

/** Counts by code, of rows as they are exported. */
function countOf(rows: string[]): Record<string, number> {
	const counts: Record<string, number> = {};
	for (const row of rows) {
		const { code } = JSON.parse(row) as { code: string };
		counts[code] = (counts[code] ?? 0) + 1;
	}
	return counts;
}

test("the page's SQL exports every row of the quarantine", () => expect(countOf(known)).toEqual(planted.findings));

test(
	"of reused shards, what the file names is expected, and nothing else is new",
	async () => {
		expect(await judged(known, lake)).toMatchObject({
			exit_code: 0,
			state: "up_to_date",
			findings: planted.findings,
			findings_expected: planted.findings,
			findings_new: {},
			new: [],
			expected_not_found: 0,
		});
	},
	LONG,
);

test(
	"what the file lacks is new, and told with its shard, path and reason",
	async () => {
		const lacking = known.filter((_, at) => at % 7 === 3);
		const others = known.filter((row) => !lacking.includes(row));
		const document = await judged([...others, '{"code":"IMAGE_EMPTY","member":"gone.webp"}'], lake);
		expect(document).toMatchObject({ findings: planted.findings, expected_not_found: 1 });
		expect(document.findings_new).toEqual(countOf(lacking));
		expect(document.findings_expected).toEqual(countOf(others));
		const wanted = lacking.map((row) => {
			const { split, shard, ...rest } = JSON.parse(row) as { split: string; shard: number };
			return { ...rest, shard: `${split}_${shard}`, severity: expect.stringMatching(/^(reject|warn)$/) };
		});
		expect(document.new).toHaveLength(lacking.length);
		expect(document.new).toEqual(expect.arrayContaining(wanted));
	},
	LONG,
);

test(
	"of new shards as of reused ones; the lake's bytes are those of a run without it",
	async () => {
		const fresh = join(temp.path, "fresh");
		const document = await judged(known.slice(1), fresh);
		expect(document).toMatchObject({ exit_code: 0, state: "published", expected_not_found: 0 });
		expect(document.findings_new).toEqual(countOf(known.slice(0, 1)));
		expect(digestOf(fresh)).toBe(digestOf(lake));
	},
	LONG,
);

test(
	"people read how many are expected, and the first that are new",
	async () => {
		const file = join(temp.path, "people.jsonl");
		writeFileSync(file, `${known.filter((row) => !row.includes("IMAGE_ORPHAN")).join("\n")}\n{"code":"ZIP_UNSAFE"}\n`);
		const place = ["--source", `file://${source}`, "--lake", lake, "--scratch", scratchOf(lake)];
		const { code, stdout } = await runCli(["mirror", ...place, ...ALL, "--expect", file]);
		expect(code).toBe(0);
		expect(stdout).toMatch(/^findings +expected +new$/m);
		expect(stdout).toMatch(/^warn +IMAGE_ORPHAN +0 +1$/m);
		expect(stdout).toMatch(/^reject +IMAGE_EMPTY +1 +0$/m);
		expect(stdout).toMatch(/^new: IMAGE_ORPHAN in (train_1|validation_2)\n {2}\S+\n {2}no row of the JSON/m);
		expect(stdout).toMatch(/^1 expectation met nothing: fixed upstream\?$/m);
		expect(stdout).toMatch(/each row, with its reason: \S+tables\/quarantine$/m);
		expect(stdout.split("\n").filter((line) => line.length > 80 && !line.includes(temp.path))).toEqual([]);
	},
	LONG,
);

describe("of failed shards", () => {
	const ratio = ["--max-reject-ratio", "0.001"];
	const failures = { REJECT_RATIO_EXCEEDED: 2 };

	test.each(["new", "reused"])(
		"that are %s, their findings count, and why they failed",
		async (how) => {
			const where = how === "new" ? join(temp.path, "failing") : lake;
			const document = await judged(known, where, ...ratio);
			expect(document).toMatchObject({ exit_code: 1, state: "failed", findings: planted.findings });
			expect(document.findings_expected).toEqual(planted.findings);
			expect(document.findings_new).toEqual(failures);
			expect(document.new).toEqual(
				SHARDS.map((shard) => expect.objectContaining({ shard, code: "REJECT_RATIO_EXCEEDED", severity: "fatal" })),
			);
			const expected = await judged([...known, '{"code":"REJECT_RATIO_EXCEEDED"}'], where, ...ratio);
			expect(expected).toMatchObject({ exit_code: 1, findings_new: {}, new: [] });
		},
		LONG,
	);
});

test.each<[string, string, RegExp]>([
	["misspelt-field.array", join(ROOT, "test/fixtures/expect/misspelt-field.array"), /line 5: .*promt_id/],
	["a file that is not there", "/none/known.jsonl", /there is no such file/],
	["a folder", "/", /it cannot be read \(EISDIR\)/],
])(
	"%s ends every command with 2, and nothing is made",
	async (_, file, why) => {
		const nowhere = join(temp.path, "nowhere");
		for (const command of ["mirror", "plan", "enqueue"]) {
			const wait = command === "enqueue" ? ["--wait"] : [];
			const place = ["--source", `file://${source}`, "--lake", nowhere, "--scratch", scratchOf(nowhere)];
			const end = await runCli([command, ...place, ...ALL, ...wait, "--expect", file, "--json"]);
			const message = expect.stringMatching(why);
			expect(documentOf(end)).toMatchObject({ exit_code: 2, error: { code: "USAGE", path: file, message } });
		}
		expect([existsSync(nowhere), existsSync(scratchOf(nowhere))]).toEqual([false, false]);
	},
	60_000,
);

test("enqueue without --wait has nobody who would judge", async () => {
	const place = ["--source", `file://${source}`, "--lake", join(temp.path, "nowhere")];
	const end = await runCli(["enqueue", ...place, "--expect", join(temp.path, "known.jsonl"), "--json"]);
	const message = expect.stringContaining("nobody waits for it");
	expect(documentOf(end)).toMatchObject({ exit_code: 2, error: { code: "USAGE", message } });
}, 60_000);
