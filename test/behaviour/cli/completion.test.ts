import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { datasets } from "../../../pipelines/datasets/index.js";
import { flagOf } from "../../../workers/command-line/option.js";
import { optionsOf } from "../../../workers/command-line/options.js";
import { allCommands } from "../../../workers/commands/index.js";
import { datasetHelp } from "../../../workers/dataset-help.js";
import { runCli } from "../../support/cli.js";
import { tempDir } from "../../support/root.js";

/** `irlake completion SHELL` completes what the commands' definitions say, in a real shell. */

const temp = tempDir("completion");
afterAll(() => temp.remove());

async function scriptFor(shell: string): Promise<string> {
	const { code, stdout, stderr } = await runCli(["completion", shell]);
	expect([code, stderr]).toEqual([0, ""]);
	return stdout;
}

const has = (shell: string): boolean => spawnSync(shell, ["-c", "exit 0"]).status === 0;

describe("bash", () => {
	let script = "";
	beforeAll(async () => {
		script = join(temp.path, "irlake.bash");
		writeFileSync(script, await scriptFor("bash"));
		mkdirSync(join(temp.path, "my lake"));
		writeFileSync(join(temp.path, "known.jsonl"), "");
	});

	/** What an interactive bash would offer for the line, as it stands up to the cursor. */
	function offered(line: string): string[] {
		const program = `
source "$1" || exit 9
COMP_LINE=$2 COMP_POINT=\${#2}
_irlake
printf '%s\\n' "\${COMPREPLY[@]}"
complete -p irlake`;
		const end = spawnSync("bash", ["--norc", "-i", "-c", program, "bash", script, line], {
			cwd: temp.path,
			encoding: "utf8",
		});
		const lines = end.stdout.split("\n").filter(Boolean);
		expect(lines.pop()).toBe("complete -F _irlake irlake");
		return lines;
	}

	test.each([
		["irlake m", ["mirror"]],
		["irlake sche", ["schedule"]],
		["irlake schedule ", ["set", "list", "remove"]],
		["irlake schedule se", ["set"]],
		["irlake mirror --ima", ["--image"]],
		["irlake mirror --image web", ["webp-lossless", "webp"]],
		["irlake mirror --image=web", ["webp-lossless", "webp"]],
		["irlake mirror --lake ./x --on-shard-failure ", ["fail", "skip"]],
		["irlake schedule set nightly --verify ", ["decode", "structure"]],
		["irlake mirror --subset ", ["1k", "2k", "4k", "8k"]],
		["irlake mirror --split tr", ["train"]],
		["irlake mirror --s3-sse aws:kms", ["kms", "kms:dsse"]],
		["irlake export ", ["hf", "imagereward", "webdataset", "files"]],
		["irlake export --out ./x h", ["hf"]],
		["irlake export hf ", []],
		["irlake diff latest s", ["source"]],
		["irlake completion z", ["zsh"]],
		["irlake mirror --lake my", ["my lake"]],
		["irlake mirror --expect kn", ["known.jsonl"]],
		["irlake mirror --concurrency ", []],
	])("%s", (line, expected) => {
		expect(offered(line)).toEqual(expected);
	});

	test("every option of every command is offered, and none of another's", () => {
		const all = Object.values(allCommands(datasetHelp(datasets))).flat();
		for (const one of all) {
			const commands = "commands" in one ? one.commands : [one];
			for (const command of commands) {
				const name = "commands" in one ? `${one.name} ${command.name}` : command.name;
				const flags = [...Object.keys(optionsOf(command)).map(flagOf), "--help"];
				expect([name, offered(`irlake ${name} --`).sort()]).toEqual([name, flags.sort()]);
			}
		}
	}, 60_000);
});

describe.each(["zsh", "fish"])("%s", (shell) => {
	test("the script names every command, and is right syntax where the shell is there to say so", async () => {
		const script = await scriptFor(shell);
		for (const name of ["mirror", "enqueue", "schedule", "vacuum"]) expect(script).toContain(name);
		expect(script).toContain("webp-lossless");
		if (!has(shell)) return;
		const file = join(temp.path, `irlake.${shell}`);
		writeFileSync(file, script);
		expect(spawnSync(shell, ["-n", file], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
	});
});

test("another shell is refused, with the one that may have been meant", async () => {
	const { code, stderr } = await runCli(["completion", "bas"]);
	expect(code).toBe(2);
	expect(stderr).toContain("Did you mean bash?");
});
