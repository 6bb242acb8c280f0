import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { datasets } from "../../../pipelines/datasets/index.js";
import { ERRORS, FINDINGS, type FindingLevel } from "../../../schemas/codes.js";
import { allCommands } from "../../../workers/commands/index.js";
import { datasetHelp } from "../../../workers/dataset-help.js";
import { ROOT } from "../../support/root.js";

/** The pages of `docs/` that are made from the code's own tables. */

const LEVELS: Record<FindingLevel, string> = {
	run: "A run: nothing is begun",
	shard: "A shard: it fails",
	row: "A row: it goes to quarantine",
	image: "An image: its row goes to quarantine",
	warn: "A warning: the row stays",
};

/** `docs/codes.md` */
export function codesPage(): string {
	const lines = [
		"# Finding and error codes",
		"",
		"Made by `make docs` from `schemas/codes.ts`; a test keeps the two in step.",
		"",
		"## Findings",
		"",
		"What validation can find wrong with the source. Every receipt and snapshot has counts by code, and",
		"`tables/quarantine` has one row per finding.",
	];
	for (const [level, title] of Object.entries(LEVELS)) {
		lines.push("", `### ${title}`, "", "| code | meaning | what to do |", "|---|---|---|");
		for (const [code, { level: own, meaning, todo }] of Object.entries(FINDINGS)) {
			if (own === level) lines.push(`| \`${code}\` | ${cell(meaning)} | ${cell(todo)} |`);
		}
	}
	lines.push("", "## Errors", "", "Everything else that can go wrong. `exit` is the command's exit code.", "");
	lines.push("| code | exit | again later? | meaning | what to do |", "|---|---|---|---|---|");
	for (const [code, { exit, retry, meaning, todo }] of Object.entries(ERRORS)) {
		lines.push(`| \`${code}\` | ${exit} | ${retry ? "yes" : "no"} | ${cell(meaning)} | ${cell(todo)} |`);
	}
	lines.push(
		"",
		"`INTERRUPTED` ends a run that was stopped by Ctrl-C (130) or SIGTERM (143); run it again to continue.",
		"",
	);
	return lines.join("\n");
}

function cell(text: string): string {
	return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}

/** Every command by its whole name, in the order of `irlake --help`. */
function commandNames(): string[] {
	const all = Object.values(allCommands(datasetHelp(datasets))).flat();
	return all.flatMap((one) => {
		return "commands" in one ? one.commands.map(({ name }) => `${one.name} ${name}`) : [one.name];
	});
}

/** `docs/commands.md`: what each command's `--help` says, and the exit codes. */
export function commandsPage(): string {
	const parts = ["", ...commandNames()].map((name) => {
		return `## ${`irlake ${name}`.trim()}\n\n\`\`\`text\n${help(name)}\`\`\`\n`;
	});
	return `${COMMANDS_HEAD}\n${parts.join("\n")}`;
}

function help(command: string): string {
	const output = execFileSync(
		process.execPath,
		[join(ROOT, "bin/irlake.js"), ...command.split(" ").filter(Boolean), "--help"],
		{
			encoding: "utf8",
		},
	);
	return `${output.trimEnd()}\n`;
}

const COMMANDS_HEAD = `# Commands

Made by \`make docs\` from each command's \`--help\`; a test keeps the two in step.

In a checkout, run \`npm run -s irlake -- mirror …\`; installed, \`irlake mirror …\`. Every option is also an environment
variable with the prefix \`IRLAKE_\` (\`--max-side\` is \`IRLAKE_MAX_SIDE\`); flags win. \`HF_ENDPOINT\`, \`HF_TOKEN\` (or
the token file under \`HF_HOME\`), \`NO_COLOR\` and \`LOG_LEVEL\` are honoured under their own names. For completion in
bash, zsh and fish, use \`source <(irlake completion bash)\`, or see \`irlake completion --help\`. With \`--json\`, a command
prints one document on stdout and nothing else there; logs go to stderr.

| exit code | meaning |
|---|---|
| 0 | published, or already up to date |
| 1 | failed, nothing published; a failed check of \`doctor\` |
| 2 | wrong usage or configuration, or a source or lake that does not exist or refuses access; nothing was touched |
| 3 | published, with shards skipped as asked |
| 4 | \`verify\` or \`diff\` found a difference |
| 130, 143 | interrupted; run again to continue |
`;
