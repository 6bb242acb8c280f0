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

/** What a failure's document has beside `error` and `exit_code`, so that its keys are the same as a success's. */
export const FAILED: Record<string, Record<string, unknown>> = {
	mirror: {
		state: "failed",
		snapshot: null,
		number: null,
		shards: [],
		counts: null,
		findings: {},
		bytes_downloaded: 0,
		seconds: 0,
	},
	rollback: { state: "failed", snapshot: null, number: null, counts: null },
	verify: { ok: false, checked: null, problems: [] },
};

/** Runs one command to its exit code: options, log, signals, errors, `--json`. Never throws. */
export async function runCommand(
	name: string,
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
		return reportFailure(error, { name, json, log });
	}
}

/** How a failure is told. */
interface Telling {
	/** The command's name, as far as it is known. */
	name: string;
	json: boolean;
	log: Logger | null;
}

/** Tells an error the way the user asked for; returns its exit code. */
export function reportFailure(error: unknown, telling: Telling): number {
	if (error instanceof Interrupted) {
		const hint = "Run the same command again to go on.";
		return tell({ code: "INTERRUPTED", message: error.message, hint, path: null }, error.exitCode, telling, error);
	}
	const known = error instanceof LakeError ? error : new LakeError("INTERNAL", unexpected(error), { cause: error });
	return tell(errorDocument(known), known.exit, telling, error);
}

function unexpected(error: unknown): string {
	return `unexpected: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
}

function tell(document: ErrorDocument, exit: number, { name, json, log }: Telling, error: unknown): number {
	if (log?.isLevelEnabled("debug")) log.debug({ err: error }, "the error in full");
	const whole = { ...FAILED[name], exit_code: exit, error: document };
	if (json) process.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
	process.stderr.write(`irlake: ${document.code}: ${document.message}\n  ${document.hint}\n`);
	return exit;
}
