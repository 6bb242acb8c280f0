import type { Logger } from "pino";
import type { Dataset } from "../pipelines/dataset.js";
import type { Progress } from "../pipelines/ports/run.js";
import { aboutCode } from "../schemas/codes.js";
import { LakeError } from "../schemas/errors.js";
import { type Command, type CommandContext, type ErrorDocument, errorDocument } from "./command-line/command.js";
import { variableOf } from "./command-line/option.js";
import { optionsOf } from "./command-line/options.js";
import type { Call } from "./command-line/program.js";
import { readOptions } from "./command-line/read-options.js";
import { Interrupted, listenForInterrupt } from "./interrupt.js";
import { openLog } from "./log.js";
import { printable } from "./report/format.js";

/** Runs one command to its exit code: options, log, signals, errors, `--json`. Never throws. */
export async function runCommand(call: Call, datasets: readonly Dataset[]): Promise<number> {
	const { command, name, flags, args } = call;
	const { env } = process;
	const json = command.failed !== null && asksForDocument(flags.json === true, env);
	const say = (text: string): void => {
		if (!json) process.stdout.write(`${printable(text)}\n`);
	};
	let log: Logger | null = null;
	const started = performance.now();
	try {
		const options = readOptions(optionsOf(command), flags, env);
		const opened = await openLog(env);
		log = opened.log;
		const signal = listenForInterrupt((signalName) => {
			opened.log.warn(`${signalName}: ending cleanly; once more to end at once`);
		});
		const drawn = process.stderr.isTTY === true && !json;
		const note: Progress["note"] = (level, message, fields) => opened.log[level](fields ?? {}, message);
		const context: CommandContext<Record<string, unknown>> = {
			options,
			json,
			datasets,
			env,
			log,
			note,
			drawn,
			divert: opened.divert,
			signal,
			say,
		};
		const run = await command.load();
		const { exit, document, error = null } = await run(context, ...args);
		if (json) sayDocument({ ...document, exit_code: exit, error });
		if (error) sayError(error);
		return exit;
	} catch (error) {
		const seconds = Math.round(performance.now() - started) / 1000;
		return reportFailure(error, { called: name, failed: command.failed, json, log, seconds });
	}
}

/**
 * Tells that the parser refused a call; returns the exit code.
 * @param said the parser's words; a second line, where there is one, asks whether something like it was meant
 * @param called the command, as far as it is known
 */
export function reportWrongCall(said: string, called: string, command: Command | null): number {
	const [message = "", meant] = said.replace(/^error: /, "").split("\n");
	const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
	const { todo } = aboutCode("USAGE");
	const hint = meant ? `${meant.replace(/^\((.*)\)$/, "$1")} ${todo}` : todo;
	const json = asksForDocument(process.argv.includes("--json"), process.env);
	const error = new LakeError("USAGE", sentence, { hint });
	return reportFailure(error, { called, failed: command?.failed ?? null, json, log: null, seconds: 0 });
}

/** How a failure is told. */
interface Telling {
	/** The command, as far as it is known. */
	called: string;
	/** What its document has beside the error. */
	failed: Record<string, unknown> | null;
	json: boolean;
	log: Logger | null;
	/** How long it ran. */
	seconds: number;
}

/** Tells an error the way the user asked for; returns its exit code. */
function reportFailure(error: unknown, telling: Telling): number {
	if (error instanceof Interrupted) {
		const hint = "Run the same command again to go on.";
		return tell({ code: "INTERRUPTED", message: error.message, hint, path: null }, error.exitCode, telling, error);
	}
	const known = error instanceof LakeError ? error : new LakeError("INTERNAL", unexpected(error), { cause: error });
	return tell(errorDocument(known), known.exit, telling, error);
}

function unexpected(error: unknown): string {
	return `Something unexpected happened: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}.`;
}

function tell(found: ErrorDocument, exit: number, telling: Telling, error: unknown): number {
	const { called, failed, json, log, seconds } = telling;
	const document = { ...found, hint: found.hint.replace("irlake COMMAND", called ? `irlake ${called}` : "irlake") };
	if (log?.isLevelEnabled("debug")) log.debug({ err: error }, "the error in full");
	if (json) {
		const spent = failed && "seconds" in failed ? { seconds: failed.seconds === null ? null : seconds } : {};
		sayDocument({ ...failed, ...spent, exit_code: exit, error: document });
	}
	sayError(document);
	return exit;
}

/** Whether `--json`, or its variable, asks for a document; known before the options are found to be right. */
function asksForDocument(flag: boolean, env: NodeJS.ProcessEnv): boolean {
	return flag || ["1", "true"].includes(env[variableOf("json")] ?? "");
}

function sayDocument(document: Record<string, unknown>): void {
	process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

function sayError({ code, message, hint }: ErrorDocument): void {
	process.stderr.write(`${printable(`irlake: ${code}: ${message}\n  ${hint}`)}\n`);
}
