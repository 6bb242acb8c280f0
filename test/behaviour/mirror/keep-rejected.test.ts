import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { DuckDBInstance } from "../../../infra/adapters/duckdb/node-api.js";
import { sha256Of } from "../../../pipelines/lake/snapshot.js";
import { runCli } from "../../support/cli.js";
import { faultEnv } from "../../support/fault.js";
import { digestOf, lakeFiles } from "../../support/lake.js";
import { mirror, receiptsOf, rowsOf, scratchOf, verify } from "../../support/mirror-run.js";
import { ROOT, tempDir } from "../../support/root.js";
import { startHub } from "../../tools/hub/client.js";
import { makeSample, type SampleOptions } from "../../tools/sample/make.js";

/** `--keep-rejected` keeps the bytes of what was rejected, named as their rows say; all else is as without it. */

const SHARDS = ["train_1", "validation_2"];
const ALL = ["--shards", SHARDS.join(",")];
const KEEP = [...ALL, "--keep-rejected"];
const SAMPLE: SampleOptions = { shards: SHARDS, defects: true, size: 32 };
/** So many that some have no damage that makes a whole zip be fetched. */
const MANY = ["train_1", "train_2", "train_3", "train_4", "test_1"];
const LONG = 300_000;

let temp: ReturnType<typeof tempDir>;
let source: string;
/** A lake of a run without the option, and one of a run with it. */
let plain: string;
let kept: string;

beforeAll(async () => {
	temp = tempDir("keep-rejected");
	[source, plain, kept] = ["source", "plain", "kept"].map((name) => join(temp.path, name)) as [string, string, string];
	await makeSample(source, { ...SAMPLE, planted: null });
	for (const [lake, args] of [[plain, ALL] as const, [kept, KEEP] as const]) {
		expect(await mirror({ folder: source }, lake, args)).toMatchObject({ code: 0 });
	}
}, LONG);
afterAll(() => temp.remove());

function rejectedIn(lake: string): string[] {
	return lakeFiles(lake).filter((path) => path.startsWith("rejected/"));
}

/** A copy of a lake and its scratch folder. */
function copyOf(lake: string, name: string): string {
	const copy = join(temp.path, name);
	cpSync(lake, copy, { recursive: true });
	cpSync(scratchOf(lake), scratchOf(copy), { recursive: true });
	return copy;
}

/** Below `rejected/` lie the bytes that rows of the quarantine name, and no others; returns how many. */
async function expectKept(lake: string): Promise<number> {
	const rows = await rowsOf(lake, "quarantine");
	const named = rows.filter(({ code, severity }) => severity === "reject" || code === "IMAGE_ORPHAN");
	const hashes = new Set(named.flatMap(({ sha256 }) => (sha256 === null ? [] : [String(sha256)])));
	expect(rejectedIn(lake)).toEqual([...hashes].map((hash) => `rejected/sha256/${hash.slice(0, 2)}/${hash}`).sort());
	for (const path of rejectedIn(lake)) expect(sha256Of(readFileSync(join(lake, path)))).toBe(basename(path));
	return hashes.size;
}

test("every rejected member that could be read is there, and every orphan", async () => {
	expect(await expectKept(kept)).toBeGreaterThan(12);
	const found = new Set(rejectedIn(kept));
	const lost = (await rowsOf(kept, "quarantine")).filter(({ severity, sha256 }) => {
		return severity === "reject" && !found.has(`rejected/sha256/${String(sha256).slice(0, 2)}/${sha256}`);
	});
	expect(new Set(lost.map(({ code }) => code))).toEqual(new Set(["IMAGE_MISSING", "MEMBER_UNREADABLE"]));
});

test("the page's SQL finds them by their rows", async () => {
	const page = readFileSync(join(ROOT, "docs/quarantine.md"), "utf8");
	const [sql = ""] = (page.split("## Rejected images\n")[1]?.split("```sql\n")[1] ?? "").split("```");
	const connection = await (await DuckDBInstance.create(":memory:")).connect();
	const read = await connection.runAndReadAll(sql.replaceAll("'lake/", `'${kept}/`));
	const files = read.getRowObjectsJson().map(({ file }) => String(file));
	connection.closeSync();
	expect([...new Set(files)].sort()).toEqual(rejectedIn(kept));
});

test("all else is byte for byte as without it, where nothing is kept", () => {
	const copy = copyOf(kept, "copy");
	rmSync(join(copy, "rejected"), { recursive: true });
	expect(digestOf(copy)).toBe(digestOf(plain));
	expect(rejectedIn(plain)).toEqual([]);
});

test(
	"verify holds each against its name",
	async () => {
		expect(await verify(kept)).toEqual({ code: 0, problems: [] });
		const copy = copyOf(kept, "altered");
		const [path = ""] = rejectedIn(copy);
		writeFileSync(join(copy, path), "other bytes");
		const problem = { code: "OBJECT_HASH", path, detail: expect.stringContaining("not its name") };
		expect(await verify(copy)).toEqual({ code: 4, problems: [problem] });
		const hint = expect.stringMatching(
			/not its name; not repaired: delete it; mirror --keep-rejected brings it again$/,
		);
		const repaired = await verify(copy, "--repair", "--source", `file://${source}`);
		expect(repaired).toEqual({ code: 4, problems: [{ ...problem, detail: hint }] });
		const { stdout } = await runCli(["verify", "--lake", copy, "--scratch", scratchOf(copy)]);
		expect(stdout).toMatch(/delete what is damaged in rejected\/; mirror --keep-rejected brings it again\n$/);
		expect(stdout).not.toContain("--repair");
		// One of another size it sees by itself.
		expect(await mirror({ folder: source }, copy, KEEP)).toMatchObject({ code: 0, document: { state: "up_to_date" } });
		expect(digestOf(copy)).toBe(digestOf(kept));
	},
	LONG,
);

test(
	"shards done without it are done once more, and nothing is published for it",
	async () => {
		const lake = copyOf(plain, "later");
		const place = ["--source", `file://${source}`, "--lake", lake, "--scratch", scratchOf(lake)];
		const plan = JSON.parse((await runCli(["plan", ...place, ...KEEP, "--json"])).stdout);
		const planned = { action: "process", reason: "rejected images not kept yet" };
		expect(plan).toMatchObject({ up_to_date: false, shards: [planned, planned] });
		const done = await mirror({ folder: source }, lake, KEEP);
		expect(done).toMatchObject({ code: 0, document: { state: "up_to_date", number: 1 } });
		expect(done.document.shards.map(({ state }) => state)).toEqual(["done", "done"]);
		expect(digestOf(lake)).toBe(digestOf(kept));
		// Only the shard that lacks one is done again.
		const lost = (await rowsOf(lake, "quarantine")).find(({ code }) => code === "IMAGE_TRUNCATED");
		rmSync(join(lake, "rejected", "sha256", String(lost?.sha256).slice(0, 2), String(lost?.sha256)));
		const again = await mirror({ folder: source }, lake, KEEP);
		const states = Object.fromEntries(again.document.shards.map(({ shard, state }) => [shard, state]));
		const other = SHARDS.find((shard) => shard !== lost?.shard) ?? "";
		expect(states).toEqual({ [String(lost?.shard)]: "done", [other]: "reused" });
		expect(digestOf(lake)).toBe(digestOf(kept));
		const last = await mirror({ folder: source }, lake, KEEP);
		expect(last.document.shards.map(({ state }) => state)).toEqual(["reused", "reused"]);
	},
	LONG,
);

test(
	"a run that is killed while it keeps them is made up for by the next",
	async () => {
		const lake = join(temp.path, "killed");
		const place = ["--source", `file://${source}`, "--lake", lake, "--scratch", scratchOf(lake)];
		const fault = faultEnv({ op: ["link", "rename"], match: "rejected/", nth: 3, do: "SIGKILL" });
		expect(await runCli(["mirror", ...place, ...KEEP], fault)).toMatchObject({ signal: "SIGKILL" });
		expect([rejectedIn(lake).length, existsSync(join(lake, "receipts"))]).toEqual([2, false]);
		expect(await mirror({ folder: source }, lake, KEEP)).toMatchObject({ code: 0 });
		expect(digestOf(lake)).toBe(digestOf(kept));
	},
	LONG,
);

test(
	"a shard that fails keeps nothing there",
	async () => {
		const lake = join(temp.path, "failed");
		expect(await mirror({ folder: source }, lake, [...KEEP, "--max-reject-ratio", "0.001"])).toMatchObject({ code: 1 });
		expect(rejectedIn(lake)).toEqual([]);
	},
	LONG,
);

test.each<[string, SampleOptions, string[]]>([
	["packed pictures", { deflate: true }, []],
	["an unpacked source", { layout: "unpacked" }, []],
	["whole groups dropped", {}, ["--on-bad-image", "drop-group"]],
])(
	"so it is with %s",
	async (name, form, args) => {
		const [folder, lake] = [join(temp.path, `${name} source`), join(temp.path, name)];
		await makeSample(folder, { ...SAMPLE, ...form, planted: null });
		expect(await mirror({ folder }, lake, [...KEEP, ...args])).toMatchObject({ code: 0 });
		expect(await expectKept(lake)).toBeGreaterThan(12);
	},
	LONG,
);

test(
	"of zips of which only parts are fetched, as of whole ones",
	async () => {
		const [larger, parts, whole] = ["larger", "parts", "whole"].map((name) => join(temp.path, name)) as [
			string,
			string,
			string,
		];
		await makeSample(larger, { shards: MANY, defects: true, size: 64, images: 110, planted: null });
		const hub = await startHub(larger);
		const chosen = ["--where", "md5(image_path) < '28'", "--max-reject-ratio", "1"];
		const where = ["--shards", MANY.join(","), "--keep-rejected", ...chosen];
		try {
			expect(await mirror({ endpoint: hub.endpoint }, parts, where)).toMatchObject({ code: 0 });
		} finally {
			await hub.stop();
		}
		const ranged = Object.values(receiptsOf(parts)).filter(({ inputs }) => inputs.zip_hash_checked === false);
		expect(ranged.some(({ counts }) => counts.members_rejected > 0)).toBe(true);
		expect(await mirror({ folder: larger }, whole, where)).toMatchObject({ code: 0 });
		expect(await expectKept(parts)).toBeGreaterThan(2);
		expect(rejectedIn(parts)).toEqual(rejectedIn(whole));
	},
	LONG,
);
