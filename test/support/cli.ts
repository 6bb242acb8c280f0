import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { ROOT } from "./root.js";

/** The command line as its users have it: `bin/irlake.js` in a process of its own. */

const COMMAND = join(ROOT, "bin/irlake.js");

/** How a command ended, and all it said. */
export interface CliEnd {
	/** Null when a signal ended it. */
	code: number | null;
	signal: NodeJS.Signals | null;
	stdout: string;
	stderr: string;
}

export interface CliProcess {
	readonly pid: number;
	readonly child: ChildProcess;
	/** Resolves when the process is gone and its output is read. */
	readonly ended: Promise<CliEnd>;
	/** Sends a signal to this one process. */
	kill(signal: NodeJS.Signals): void;
}

/** Variables that would send a command elsewhere or change what it does. */
const FOREIGN = /^(IRLAKE_|HF_|AWS_|REDIS_|HTTPS?_PROXY$|ALL_PROXY$|NO_PROXY$|LOG_LEVEL$|NODE_OPTIONS$)/i;

/**
 * Starts `irlake ...args` with a clean environment and `env` on top. Throws when there is no such process.
 * @param command the script that is run: another release's, or one of the tests' own
 * @param before a command that runs it, with its own options
 */
export async function startCli(
	args: string[],
	env: NodeJS.ProcessEnv = {},
	command = COMMAND,
	before: readonly string[] = [],
): Promise<CliProcess> {
	const kept = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
	const [program = process.execPath, ...first] = [...before, process.execPath];
	const child = spawn(program, [...first, command, ...args], {
		env: { ...Object.fromEntries(kept), ...env },
		stdio: ["ignore", "pipe", "pipe"],
	});
	const closed = once(child, "close");
	const output = Promise.all([text(child.stdout), text(child.stderr)]);
	await once(child, "spawn");
	const ended = Promise.all([closed, output]).then(([, [stdout, stderr]]) => ({
		code: child.exitCode,
		signal: child.signalCode,
		stdout,
		stderr,
	}));
	return {
		// spawn() has succeeded, so there is a pid.
		pid: child.pid as number,
		child,
		ended,
		kill: (signal) => void child.kill(signal),
	};
}

/** Runs `irlake ...args` to its end, whatever its exit code. */
export async function runCli(args: string[], env: NodeJS.ProcessEnv = {}): Promise<CliEnd> {
	return (await startCli(args, env)).ended;
}

/** What every `--json` document has, and what `mirror`'s and `verify`'s have beside it. */
const Document = z.looseObject({
	exit_code: z.int().optional(),
	state: z.string().optional(),
	number: z.int().nullish(),
	snapshot: z.string().nullish(),
	shards: z.array(z.looseObject({ shard: z.string(), state: z.string(), code: z.string().nullable() })).optional(),
	bytes_downloaded: z.int().optional(),
	problems: z.array(z.unknown()).optional(),
	error: z.object({ code: z.string(), message: z.string(), hint: z.string(), path: z.string().nullable() }).nullable(),
});
export type CliDocument = z.infer<typeof Document>;

/** The one document that `--json` left on stdout; throws, with what stands on stderr, where there is none. */
export function documentOf({ code, signal, stdout, stderr }: CliEnd): CliDocument {
	try {
		return Document.parse(JSON.parse(stdout));
	} catch (cause) {
		throw new Error(`irlake ended with ${code ?? signal} and no document: ${stdout}${stderr}`, { cause });
	}
}
