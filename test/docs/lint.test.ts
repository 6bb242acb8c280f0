import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ROOT, tempDir } from "../support/root.js";

/** What keeps the core from knowing a dataset is lint; each rule is shown to find what it is there for. */

const temp = tempDir("lint");
afterAll(() => temp.remove());

function write(path: string, text: string): void {
	mkdirSync(dirname(join(temp.path, path)), { recursive: true });
	writeFileSync(join(temp.path, path), text);
}

const CORE = "pipelines/dataset.ts only";
const CHOSEN = "a dataset is chosen in bin and wire.ts only";
const SIBLINGS = "datasets know nothing of each other";

/** A file, what it imports, and the reason that it may not; null where it may. */
const IMPORTS = [
	["pipelines/retry.ts", "./datasets/index.js", CORE],
	["pipelines/lake/paths.ts", "../datasets/imagereward-db/layout.js", CORE],
	["pipelines/mirror/shard.ts", "../datasets/index.js", CORE],
	["pipelines/mirror/plan/decide.ts", "../../datasets/index.js", CORE],
	["pipelines/mirror/check/verdict.ts", "../../datasets/index.js", CORE],
	["pipelines/vacuum/vacuum.ts", "../datasets/index.js", CORE],
	["infra/adapters/redis.ts", "../../pipelines/datasets/index.js", CORE],
	["workers/session.ts", "../pipelines/datasets/index.js", CHOSEN],
	["workers/fleet/queue.ts", "../../pipelines/datasets/index.js", CHOSEN],
	["workers/wire.ts", "../pipelines/datasets/index.js", null],
	["pipelines/datasets/index.ts", "./one/dataset.js", null],
	["pipelines/datasets/one/tables.ts", "../../text.js", null],
	["pipelines/datasets/one/dataset.ts", "./exports/index.js", null],
	["pipelines/datasets/one/checks.ts", "../two/row.js", SIBLINGS],
	["pipelines/datasets/one/card.ts", "../../datasets/two/row.js", SIBLINGS],
	["pipelines/datasets/one/exports/pairs.ts", "../row.js", null],
	["pipelines/datasets/one/exports/hf.ts", "../../../export/job.js", null],
	["pipelines/datasets/one/exports/index.ts", "../../two/row.js", SIBLINGS],
] as const;

/** What Biome says of each file; nothing of those that it finds no fault with. */
let told: Map<string, string>;
beforeAll(() => {
	const rules = JSON.parse(readFileSync(join(ROOT, "biome.json"), "utf8")) as { overrides: unknown[] };
	write("biome.json", JSON.stringify({ linter: { rules: { preset: "none" } }, overrides: rules.overrides }));
	for (const [path, from] of IMPORTS) write(path, `import "${from}";\n`);
	const args = ["lint", "--reporter=json", "--max-diagnostics=none", ...IMPORTS.map(([path]) => path)];
	const { stdout } = spawnSync(join(ROOT, "node_modules/.bin/biome"), args, { cwd: temp.path, encoding: "utf8" });
	const { diagnostics } = JSON.parse(stdout) as { diagnostics: { location: { path: unknown } }[] };
	told = new Map(diagnostics.map((one) => [JSON.stringify(one.location.path), JSON.stringify(one)]));
}, 60_000);

test.each(IMPORTS)("%s imports %s: %s", (path, _from, reason) => {
	const found = [...told].find(([where]) => where.includes(path))?.[1];
	if (reason === null) expect(found).toBeUndefined();
	else expect(found).toContain(reason);
});

test("words of a dataset are found outside its folder, in comments too", () => {
	for (const folder of ["schemas", "pipelines", "workers", "infra", "bin"])
		mkdirSync(join(temp.path, folder), { recursive: true });
	cpSync(join(ROOT, "test/tools/lint/check-words.js"), join(temp.path, "check.js"));
	const check = () => spawnSync(process.execPath, [join(temp.path, "check.js"), temp.path], { encoding: "utf8" });
	write("pipelines/datasets/imagereward-db/row.ts", "// prompt_id\n");
	write("workers/good.ts", "// ranked, ranks, a frank constrain_t\n");
	expect(check()).toMatchObject({ status: 0, stderr: "" });
	write("schemas/bad.ts", "const a = 1;\n// by rank\n");
	write("infra/scripts/bad.sh", "echo train_1 pre_rank\n");
	write("bin/bad.js", 'import "imageRewardDb";\nimport "ImageRewardDB";\n');
	const { status, stderr } = check();
	expect(status).toBe(1);
	expect(stderr).toMatch(/bad\.ts:2: rank\n/);
	expect(stderr).toMatch(/bad\.sh:1: train_\n/);
	expect(stderr).toMatch(/bad\.js:2: ImageReward\n/);
	expect(stderr.split("\n").filter((line) => line.includes("bad."))).toHaveLength(3);
});

test("npm run lint asks for both", () => {
	const scripts = execFileSync("npm", ["pkg", "get", "scripts.lint"], { cwd: ROOT, encoding: "utf8" });
	expect(scripts).toContain("biome check --error-on-warnings");
	expect(scripts).toContain("check-words.js");
});
