import type { Logger } from "pino";
import type { Options } from "../schemas/config.js";
import { LakeError } from "../schemas/errors.js";
import { Interrupted, listenForInterrupt } from "./interrupt.js";
import { openLog } from "./log.js";
import { readOptions } from "./options.js";

/** What every command gets. */
export interface CommandContext {
	options: Options;
	env: NodeJS.ProcessEnv;
	log: Logger;
	signal: AbortSignal;
	/** For people, on stdout; nothing with `--json`. */
	say(text: string): void;
}

/** What every command gives: its exit code, and the document for `--json`. */
export interface CommandResult {
	exit: number;
	document: Record<string, unknown>;
}

/** How an error stands in a document. */
export interface ErrorDocument {
	code: string;
	message: string;
	hint: string;
	path: string | null;
}

export function errorDocument(error: LakeError): ErrorDocument {
	return { code: error.code, message: error.message, hint: error.hint, path: error.path };
}

/** Runs one command to its exit code: options, log, signals, errors, `--json`. Never throws. */
export async function runCommand(
	flags: Record<string, unknown>,
	command: (context: CommandContext) => Promise<CommandResult>,
): Promise<number> {
	const env = process.env;
	const json = flags.json === true || env.IRLAKE_JSON === "1" || env.IRLAKE_JSON === "true";
	const say = (text: string): void => {
		if (!json) process.stdout.write(`${text}\n`);
	};
	let log: Logger | null = null;
	try {
		const options = readOptions(flags, env);
		const opened = await openLog(env);
		log = opened;
		const signal = listenForInterrupt((name) => {
			opened.warn(`${name}: ending cleanly; once more to end at once`);
		});
		const { exit, document } = await command({ options, env, log, signal, say });
		if (json) process.stdout.write(`${JSON.stringify({ ...document, error: document.error ?? null }, null, 2)}\n`);
		return exit;
	} catch (error) {
		return reportFailure(error, json, log);
	}
}

/** Tells an error the way the user asked for; returns its exit code. */
export function reportFailure(error: unknown, json: boolean, log: Logger | null): number {
	if (error instanceof Interrupted) {
		const known = {
			code: "INTERRUPTED",
			message: error.message,
			hint: "Run the same command again to go on.",
			path: null,
		};
		return tell(known, error.exitCode, json, log, error);
	}
	const known = error instanceof LakeError ? error : new LakeError("INTERNAL", unexpected(error), { cause: error });
	return tell(errorDocument(known), known.exit, json, log, error);
}

function unexpected(error: unknown): string {
	return `unexpected: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
}

function tell(document: ErrorDocument, exit: number, json: boolean, log: Logger | null, error: unknown): number {
	if (log?.isLevelEnabled("debug")) log.debug({ err: error }, "the error in full");
	if (json) process.stdout.write(`${JSON.stringify({ exit_code: exit, error: document }, null, 2)}\n`);
	process.stderr.write(`irlake: ${document.code}: ${document.message}\n  ${document.hint}\n`);
	return exit;
}
