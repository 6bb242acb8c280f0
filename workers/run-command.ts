import type { Logger } from "pino";
import type { Dataset } from "../pipelines/dataset.js";
import type { Progress } from "../pipelines/ports/run.js";
import type { Options } from "../schemas/config.js";
import { LakeError } from "../schemas/errors.js";
import { Interrupted, listenForInterrupt } from "./interrupt.js";
import { type Log, openLog } from "./log.js";
import { isGiven, readOptions } from "./options.js";
import { printable } from "./report/format.js";

/** What every command gets. */
export interface CommandContext {
	options: Options;
	/** Whether an option was given, and is not merely the default. */
	given(option: keyof Options): boolean;
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

export function errorDocument(error: LakeError): ErrorDocument {
	return { code: error.code, message: error.message, hint: error.hint, path: error.path };
}

/** What a failure's document has beside `error` and `exit_code`, so that its keys are the same as a success's. */
export const FAILED: Record<string, Record<string, unknown>> = {
	plan: {
		up_to_date: null,
		source: null,
		base: null,
		settings: null,
		shards: [],
		bytes: null,
		seconds: null,
		free_bytes: null,
	},
	status: { lake: null, queue: null, runs: [], rates: null, workers: [], failures: [], schedules: [] },
	schedule: { state: "failed", schedules: [] },
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
	enqueue: {
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
	doctor: { ok: false, checks: [] },
	verify: { ok: false, checked: null, problems: [], repaired: [] },
	diff: {
		equal: null,
		before: null,
		after: null,
		settings: [],
		shards: [],
		rows: {},
		images: null,
		counts: [],
		findings: [],
		unknown: [],
	},
	vacuum: {
		mode: "failed",
		kept: [],
		given_up: [],
		deleted: null,
		marked: null,
		waiting: null,
		due: null,
		unfinished: 0,
		grace_seconds: null,
	},
	export: {
		state: "failed",
		export: null,
		out: null,
		snapshot: null,
		number: null,
		shards: [],
		counts: null,
		files: [],
	},
};

/** Runs one command to its exit code: options, log, signals, errors, `--json`. Never throws. */
export async function runCommand(
	name: string,
	flags: Record<string, unknown>,
	datasets: readonly Dataset[],
	command: (context: CommandContext) => Promise<CommandResult>,
): Promise<number> {
	const env = process.env;
	const json = asksForDocument(flags.json === true, env);
	const say = (text: string): void => {
		if (!json) process.stdout.write(`${printable(text)}\n`);
	};
	let log: Logger | null = null;
	const started = performance.now();
	try {
		const options = readOptions(flags, env);
		const opened = await openLog(env);
		log = opened.log;
		const signal = listenForInterrupt((name) => {
			opened.log.warn(`${name}: ending cleanly; once more to end at once`);
		});
		const drawn = process.stderr.isTTY === true && !json;
		const given = (option: keyof Options): boolean => isGiven(option, flags, env);
		const note: Progress["note"] = (level, message, fields) => opened.log[level](fields ?? {}, message);
		const context = { options, given, datasets, env, log, note, drawn, divert: opened.divert, signal, say };
		const { exit, document, error = null } = await command(context);
		if (json) sayDocument({ ...document, exit_code: exit, error });
		if (error) sayError(error);
		return exit;
	} catch (error) {
		return reportFailure(error, { name, json, log, seconds: Math.round(performance.now() - started) / 1000 });
	}
}

/** How a failure is told. */
interface Telling {
	/** The command's name, as far as it is known. */
	name: string;
	json: boolean;
	log: Logger | null;
	/** How long it ran. */
	seconds: number;
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

function tell(found: ErrorDocument, exit: number, { name, json, log, seconds }: Telling, error: unknown): number {
	const document = { ...found, hint: found.hint.replace("irlake COMMAND", name ? `irlake ${name}` : "irlake") };
	if (log?.isLevelEnabled("debug")) log.debug({ err: error }, "the error in full");
	const keys = { ...FAILED[name], ...(name === "mirror" || name === "enqueue" ? { seconds } : {}) };
	if (json) sayDocument({ ...keys, exit_code: exit, error: document });
	sayError(document);
	return exit;
}

/** Whether `--json`, or its variable, asks for a document; known before the options are found to be right. */
export function asksForDocument(flag: boolean, env: NodeJS.ProcessEnv): boolean {
	return flag || env.IRLAKE_JSON === "1" || env.IRLAKE_JSON === "true";
}

function sayDocument(document: Record<string, unknown>): void {
	process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

function sayError({ code, message, hint }: ErrorDocument): void {
	process.stderr.write(`${printable(`irlake: ${code}: ${message}\n  ${hint}`)}\n`);
}
