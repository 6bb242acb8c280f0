import type { Command, CommandFamily } from "../../command-line/command.js";
import { flagOf, helpOf, type Option } from "../../command-line/option.js";
import { optionsOf } from "../../command-line/options.js";

/** What can be completed, as all shells' scripts are made of. */

export interface CompletedOption {
	/** `--max-side` */
	flag: string;
	help: string;
	takesValue: boolean;
	choices: readonly string[];
	path: "file" | "folder" | null;
}

export interface CompletedCommand {
	/** `mirror`, `schedule set`; of a family without options of its own. */
	name: string;
	summary: string;
	options: CompletedOption[];
	/** What may stand at each place; empty where it is not known. */
	arguments: (readonly string[])[];
	/** Names of a family's commands. */
	below: string[];
}

export function describeCommands(all: (Command | CommandFamily)[]): CompletedCommand[] {
	return all.flatMap((one) => {
		if (!("commands" in one)) return [described(one, one.name)];
		const { name, summary, commands } = one;
		const family = { name, summary, options: [HELP], arguments: [], below: commands.map((each) => each.name) };
		return [family, ...commands.map((command) => described(command, `${name} ${command.name}`))];
	});
}

const HELP: CompletedOption = { flag: "--help", help: "show this help", takesValue: false, choices: [], path: null };

function described(command: Command, name: string): CompletedCommand {
	const options = Object.entries(optionsOf(command)).map(([key, option]) => describedOption(key, option));
	const places = (command.arguments ?? []).map(({ choices }) => choices ?? []);
	return { name, summary: command.summary, options: [...options, HELP], arguments: places, below: [] };
}

function describedOption(key: string, option: Option<unknown>): CompletedOption {
	return {
		flag: flagOf(key),
		help: helpOf(option),
		takesValue: !option.isSwitch,
		choices: option.isSwitch ? [] : (option.choices ?? option.reader.choices ?? []),
		path: option.path ?? null,
	};
}
