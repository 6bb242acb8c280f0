import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { DuckDBInstance } from "../../../infra/adapters/duckdb/node-api.js";
import { Lab } from "../../support/lab.js";
import { python, requireOrSkip } from "../../support/python.js";
import { ROOT } from "../../support/root.js";
import { type Ended, runProgram } from "../../support/run-program.js";

/** What the README and the pages of `docs/` tell people to type works as it stands there. */

const SHARDS = [1, 2, 3, 4].map((n) => `train_${n}`).concat("validation_1", "validation_2", "test_1", "test_2");
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** Contents of the page's code blocks in a language. */
function blocks(page: string, language: string): string[] {
	return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm"))].map(([, text = ""]) => text);
}

/** Commands as they are typed, without those that set up the checkout this test runs in. */
const commands = blocks(README, "bash")
	.flatMap((block) => block.split("\n"))
	.filter((line) => line !== "" && !/^(make|npm ci)\b/.test(line));

/** The command of a checkout or of an installation, in whatever folder. */
const SHELL = `irlake() { "$NODE" "$ROOT/bin/irlake.js" "$@"; }
npm() { [ "$1 $2 $3 $4" = "run -s irlake --" ] || exit 99; shift 4; irlake "$@"; }
`;

let lab: Lab;
beforeAll(async () => {
	lab = await Lab.open("readme", { shards: SHARDS, images: 4, size: 24 });
	writeFileSync(lab.path("known.jsonl"), '{"code":"IMAGE_ORPHAN"}\n');
}, 120_000);
afterAll(() => lab.close());

function type(line: string): Promise<Ended> {
	const env = { ...process.env, ...lab.env(), NODE: process.execPath, ROOT, LOG_LEVEL: "warn", NODE_OPTIONS: "" };
	return runProgram("bash", ["-c", SHELL + line], env, lab.path(""));
}

test("the README's commands, one after another", async () => {
	expect(commands.length).toBeGreaterThanOrEqual(5);
	for (const line of commands) expect({ line, ...(await type(line)) }).toMatchObject({ line, code: 0, stderr: "" });
}, 120_000);

test("the README's SQL reads the lake that they made", async () => {
	const connection = await (await DuckDBInstance.create(":memory:")).connect();
	const queries = blocks(README, "sql");
	expect(queries).not.toEqual([]);
	for (const query of queries) {
		const reader = await connection.runAndReadAll(query.replaceAll("'lake/", `'${lab.path("lake")}/`));
		expect(reader.currentRowCount).toBeGreaterThan(0);
	}
	connection.closeSync();
}, 60_000);

const pages = blocks(readFileSync(join(ROOT, "docs/commands.md"), "utf8"), "text");
const examplesOf = (page: string) => (page.split("Examples:\n")[1] ?? "").split("\n").filter(Boolean);
const examples = pages.flatMap(examplesOf);
/** What wants a bucket, a queue or an end of its own: suites of their own run these commands. */
const ELSEWHERE = /s3:|REDIS_URL|irlake (enqueue|worker|schedule)|--watch/;

test("the examples that want a service name the command's own options", () => {
	expect(examples.length).toBeGreaterThanOrEqual(pages.length);
	for (const page of pages) {
		for (const example of examplesOf(page).filter((line) => ELSEWHERE.test(line))) {
			const named = example.match(/--[a-z0-9-]+/g) ?? [];
			expect([example, named.filter((option) => !page.includes(`  ${option}`))]).toEqual([example, []]);
		}
	}
});

test("the other examples of every --help are right usage", async () => {
	for (const example of examples.filter((line) => !ELSEWHERE.test(line))) {
		const line = example
			.replace("file:///data/ImageRewardDB", `file://${lab.source} --subset 1k`)
			.replace(" /lake", " ./other");
		const { code, stderr } = await type(line);
		// The lake of this test has one snapshot only.
		const expected = line.includes("rollback 3") ? [2, expect.stringContaining("SNAPSHOT_NOT_FOUND")] : [0, ""];
		expect([line, code, stderr]).toEqual([line, ...expected]);
	}
}, 300_000);

const describePython = await requireOrSkip();

describePython("with deltalake from PyPI", () => {
	test("the README's Python reads the lake", async () => {
		const snippets = blocks(README, "python");
		expect(snippets).not.toEqual([]);
		for (const snippet of snippets) {
			// pyarrow's threads abort some processes as they exit, after all is done: this one does not wait for them.
			const program = `${snippet}\nprint(images.num_rows, flush=True)\nimport os\nos._exit(0)`;
			const end = await runProgram((await python()) ?? "", ["-c", program], process.env, lab.path(""));
			expect(end).toMatchObject({ code: 0, stdout: `${SHARDS.length * 4}\n` });
		}
	}, 60_000);
});

describe("the make targets that the README names", () => {
	test("are there", () => {
		const makefile = readFileSync(join(ROOT, "Makefile"), "utf8");
		const named = [...README.matchAll(/^make ([a-z-]+)/gm)].map(([, name]) => name);
		expect(named).toEqual(["demo", "test"]);
		for (const name of named) expect(makefile).toMatch(new RegExp(`^${name}:.* ## `, "m"));
	});
});
