import type { Logger } from "pino";
import type { Dataset } from "../../pipelines/dataset.js";
import type { Progress } from "../../pipelines/ports/run.js";
import type { LakeError } from "../../schemas/errors.js";
import type { Log } from "../log.js";
import type { OptionSet, ValuesOf } from "./option.js";

/** What a command is. Definitions are light: the code of a command is imported when it runs. */

/** Under which heading commands stand in `irlake --help`; in this order. */
export const COMMAND_GROUPS = ["Mirror", "Inspect", "Maintain", "Export", "Fleet", "Shell"] as const;
export type CommandHeading = (typeof COMMAND_GROUPS)[number];

/** What every command gets. */
export interface CommandContext<Options = unknown> {
	/** The options that it declares. */
	options: Options;
	/** Whether one document is asked for. */
	json: boolean;
	/** The datasets that this program knows. */
	datasets: readonly Dataset[];
	env: NodeJS.ProcessEnv;
	log: Logger;
	/** A line in the log, as the pipelines write one. */
	note: Progress["note"];
	/** Whether bars are drawn: on a terminal, where no document is asked for. */
	drawn: boolean;
	divert: Log["divert"];
	signal: AbortSignal;
	/** For people, on stdout; nothing with `--json`. */
	say(text: string): void;
}

/** What every command gives: its exit code, the document for `--json`, and why it failed, where it says so itself. */
export interface CommandResult {
	exit: number;
	document: Record<string, unknown>;
	error?: ErrorDocument | null;
}

/** How an error stands in a document. */
export interface ErrorDocument {
	code: string;
	message: string;
	hint: string;
	path: string | null;
}

export function errorDocument({ code, message, hint, path }: LakeError): ErrorDocument {
	return { code, message, hint, path };
}

interface Argument {
	name: string;
	help: string;
	/** The allowed texts, where they are known. */
	choices?: readonly string[];
}

/** The code of a command. */
type RunCommand<Options> = (context: CommandContext<Options>, ...args: string[]) => Promise<CommandResult>;

interface Definition<Set extends OptionSet> {
	name: string;
	/** One line, for the list of commands. */
	summary: string;
	arguments?: readonly Argument[];
	options: Set;
	examples: readonly string[];
	/**
	 * What a failure's document has beside `error` and `exit_code`, so that its keys are those of a success; null of a
	 * command without a document. `seconds` is filled in.
	 */
	failed: Record<string, unknown> | null;
	/** Imports the code. It is given the options declared here, and can ask for no others. */
	load(): Promise<RunCommand<ValuesOf<Set>>>;
}

/** A command of whatever options. */
export interface Command extends Omit<Definition<OptionSet>, "load"> {
	load(): Promise<RunCommand<Record<string, unknown>>>;
}

/** Commands below a name: `schedule set`. */
export interface CommandFamily {
	name: string;
	summary: string;
	commands: readonly Command[];
}

export function defineCommand<Set extends OptionSet>(definition: Definition<Set>): Command {
	// Its options are read by its own set: what they are is known here, and only here.
	return definition as unknown as Command;
}
