import { CommanderError, type Command as Parser } from "commander";
import type { Dataset } from "../pipelines/dataset.js";
import { LOG_LEVELS } from "../schemas/bounds.js";
import type { Command, CommandFamily } from "./command-line/command.js";
import { orList } from "./command-line/nearest.js";
import { buildProgram } from "./command-line/program.js";
import { allCommands } from "./commands/index.js";
import { datasetHelp } from "./dataset-help.js";
import { versionText } from "./version.js";

/** The command line. Each command's code is imported when it runs, so that `--help` answers at once. */

/** @param datasets those that this program knows; what is said without one is said of the first */
export async function main(datasets: readonly [Dataset, ...Dataset[]]): Promise<void> {
	// Who reads along may stop before the end, as `| head` does: the work goes on, and ends as it would have.
	for (const stream of [process.stdout, process.stderr]) {
		stream.on("error", (error: NodeJS.ErrnoException) => {
			if (error.code !== "EPIPE") throw error;
		});
	}
	const about = datasetHelp(datasets);
	const commands = allCommands(about);
	const texts = {
		description: `Mirrors ${about.title} from the Hugging Face Hub into a checked, queryable lake.`,
		version: versionText(),
		footer: footer(about.smallSubset),
	};
	const program = buildProgram(texts, commands, async (call) => {
		const { runCommand } = await import("./run-command.js");
		process.exitCode = await runCommand(call, datasets);
	});
	for (const one of program.commands.flatMap((command) => [program, command, ...command.commands])) {
		one.exitOverride().configureOutput({ writeErr: () => {} });
	}
	try {
		await program.parseAsync();
	} catch (error) {
		if (!(error instanceof CommanderError)) throw error;
		process.exitCode = error.exitCode === 0 ? 0 : await wrongCall(program, Object.values(commands).flat(), error);
	}
}

function footer(subset: string): string {
	return `Environment:
  IRLAKE_…                         every option: --max-side is IRLAKE_MAX_SIDE;
                                   flags win
  HF_TOKEN, HF_HOME, HF_ENDPOINT   the Hub
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                                   the way to it
  AWS_PROFILE, AWS_ENDPOINT_URL_S3, and others of Amazon's
                                   a lake on S3
  REDIS_URL                        the queue's server (default:
                                   redis://127.0.0.1:6379)
  LOG_LEVEL                        (default: info)
    ${orList(LOG_LEVELS)}
  NO_COLOR                         no colour in the log

Examples:
  irlake mirror --subset ${subset} --lake ./lake
  irlake status --lake ./lake`;
}

/** Commander's own words for a wrong call go to stderr, and into the document where one is asked for. */
async function wrongCall(program: Parser, all: (Command | CommandFamily)[], error: CommanderError): Promise<number> {
	const [, , first = "", second = ""] = process.argv;
	if (error.code === "commander.help") {
		const family = program.commands.find((one) => one.name() === first);
		process.stderr.write((family ?? program).helpInformation());
		return 2;
	}
	const { reportWrongCall } = await import("./run-command.js");
	const found = all.find(({ name }) => name === first);
	const below = found && "commands" in found ? found.commands.find(({ name }) => name === second) : undefined;
	const command = found && "commands" in found ? (below ?? found.commands[0]) : found;
	const called = found ? [found.name, ...(below ? [below.name] : [])].join(" ") : "";
	return reportWrongCall(error.message, called, command ?? null);
}
