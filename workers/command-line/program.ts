import { Command as Parser, Option as ParserOption } from "commander";
import { COMMAND_GROUPS, type Command, type CommandFamily, type CommandHeading } from "./command.js";
import { flagOf, helpOf, OPTION_GROUPS, type Option, type OptionSet } from "./option.js";
import { optionsOf } from "./options.js";

/** Makes commander's parser of the commands' definitions. */

const HELP = "show this help";

/** A command as it was called. */
export interface Call {
	command: Command;
	/** Its whole name: `schedule set`. */
	name: string;
	/** As they were given. */
	flags: Record<string, unknown>;
	args: string[];
}

type Runner = (call: Call) => Promise<void>;

interface ProgramAbout {
	description: string;
	version: string;
	/** Stands below the list of commands. */
	footer: string;
}

export function buildProgram(
	about: ProgramAbout,
	commands: Readonly<Record<CommandHeading, readonly (Command | CommandFamily)[]>>,
	run: Runner,
): Parser {
	const program = new Parser("irlake")
		.description(about.description)
		.version(about.version, "-V, --version", "release, DuckDB and Node");
	for (const heading of COMMAND_GROUPS) {
		for (const one of commands[heading]) program.addCommand(parserOf(one, run).helpGroup(`${heading}:`));
	}
	program.optionsGroup("Options:").helpOption("-h, --help", HELP);
	program.commandsGroup("Shell:").helpCommand("help [command]", "show the help of a command");
	return program.addHelpText("after", `\n${about.footer}\n`);
}

function parserOf(one: Command | CommandFamily, run: Runner): Parser {
	if (!("commands" in one)) return commandParser(one, one.name, run);
	const family = new Parser(one.name).description(one.summary).helpOption("-h, --help", HELP);
	for (const command of one.commands) family.addCommand(commandParser(command, `${one.name} ${command.name}`, run));
	return family;
}

function commandParser(command: Command, name: string, run: Runner): Parser {
	const parser = new Parser(command.name).description(command.summary);
	for (const argument of command.arguments ?? []) parser.argument(`<${argument.name}>`, argument.help);
	for (const [key, option] of inHelpOrder(optionsOf(command))) parser.addOption(parserOption(key, option));
	parser.optionsGroup("Output:").helpOption("-h, --help", HELP);
	const lines = command.examples.map((example) => `  ${example}`).join("\n");
	parser.addHelpText("after", `\nExamples:\n${lines}\n`);
	return parser.action(async (...given: unknown[]) => {
		const args = given.slice(0, command.arguments?.length ?? 0).map(String);
		await run({ command, name, flags: parser.opts(), args });
	});
}

/** By heading; within one as they are declared, the common ones first. */
function inHelpOrder(options: OptionSet): [string, Option<unknown>][] {
	const order = ([, { group }]: [string, Option<unknown>]): number => OPTION_GROUPS.indexOf(group);
	return Object.entries(options).sort((a, b) => order(a) - order(b));
}

function parserOption(name: string, option: Option<unknown>): ParserOption {
	const spelling = option.isSwitch ? flagOf(name) : `${flagOf(name)} ${option.value}`;
	return new ParserOption(spelling, helpOf(option)).helpGroup(`${option.group}:`);
}
