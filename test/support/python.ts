import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe } from "@jest/globals";
import { z } from "zod";
import { ROOT } from "./root.js";
import { type Ended, runProgram } from "./run-program.js";

/** Other people's readers of the lake: Python in a virtual environment that the first test to need it makes. */

const SCRIPTS = join(ROOT, "test/consumers");
let made: Promise<string | null> | undefined;

/** The environment's python, made on the first call; null when it cannot be had, the reason then stands on stderr. */
export function python(): Promise<string | null> {
	made ??= makeEnvironment();
	return made;
}

async function makeEnvironment(): Promise<string | null> {
	const { code, stdout, stderr } = await runProgram(join(ROOT, "infra/scripts/python-env.sh"), []);
	if (code === 0) return stdout.trim().split("\n").at(-1) ?? null;
	process.stderr.write(`${stderr.trim()}\n`);
	return null;
}

/**
 * `describe` for tests that need the environment: where it cannot be had they count as skipped, and with
 * `REQUIRE_SERVICES=1` they run and fail. Chosen at load time: `const describePython = await requireOrSkip();`
 */
export async function requireOrSkip(): Promise<typeof describe | typeof describe.skip> {
	if ((await python()) !== null || process.env.REQUIRE_SERVICES === "1") return describe;
	process.stderr.write("No Python environment: tests with delta-rs, DuckDB and polars are skipped.\n");
	return describe.skip;
}

async function requirePython(): Promise<string> {
	const program = await python();
	if (program === null) throw new Error("the Python environment of the independent readers cannot be had");
	return program;
}

/** Runs a script of this folder to its end. Throws where there is no environment. */
export async function runPython(script: string, args: string[]): Promise<Ended> {
	return runProgram(await requirePython(), [join(SCRIPTS, script), ...args]);
}

/** The same for a script whose last line is a JSON verdict, checked against `shape`; throws when it printed none. */
export async function pythonVerdict<T>(shape: z.ZodType<T>, script: string, args: string[]): Promise<T> {
	const { code, stdout, stderr } = await runPython(script, args);
	const line = stdout.trim().split("\n").at(-1) ?? "";
	if (!line.startsWith("{")) throw new Error(`${script} ended with ${code} and no verdict: ${stderr}`);
	return shape.parse(JSON.parse(line));
}

/** What `recompute.py` says. */
export const Recomputed = z.object({
	cells: z.int(),
	different: z.int(),
	examples: z.array(z.unknown()),
	shards: z.array(z.string()),
	ties: z.int(),
	rows: z.record(z.string(), z.int()),
	delta_rows: z.record(z.string(), z.int()),
	duckdb_rows: z.record(z.string(), z.int()),
});

/** Recomputes `images`, `prompts` and `pairs` from a source folder and compares every cell of the lake. */
export function recompute(source: string, lake: string, options: string[] = []): Promise<z.infer<typeof Recomputed>> {
	return pythonVerdict(Recomputed, "recompute.py", [...options, source, lake]);
}

/** One SHA-256 over all files of the lake but `.irlake/`; of `parts` only, where given. */
export async function lakeDigest(lake: string, parts?: ("objects" | "tables-parquet")[]): Promise<string> {
	const { code, stdout, stderr } = await runPython("lake_digest.py", [
		lake,
		...(parts ? ["--only", parts.join(",")] : []),
	]);
	if (code !== 0) throw new Error(`lake_digest.py ended with ${code}: ${stderr}`);
	return stdout.trim();
}

/** A reader pinned to `latest.json`: nothing published yet, one whole snapshot, or what is wrong. */
export const Pinned = z.discriminatedUnion("state", [
	z.object({ state: z.literal("none") }),
	z.object({ state: z.literal("whole"), number: z.int() }),
	z.object({ state: z.literal("broken"), problems: z.array(z.string()) }),
]);
export type Pinned = z.infer<typeof Pinned>;

export interface PinnedReader {
	check(lake: string): Promise<Pinned>;
	stop(): Promise<void>;
}

/** Starts one Python process that answers many checks, one at a time; stop it when done. */
export async function pinnedReader(): Promise<PinnedReader> {
	const child = spawn(await requirePython(), [join(SCRIPTS, "read_pinned.py"), "--serve"], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	const exited = once(child, "exit");
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	return {
		async check(lake) {
			child.stdin.write(`${lake}\n`);
			const { value, done } = await lines.next();
			if (done) throw new Error(`the pinned reader ended: exit code ${exitCode(child)}`);
			return Pinned.parse(JSON.parse(value));
		},
		async stop() {
			child.stdin.end();
			await exited;
		},
	};
}

function exitCode(child: ChildProcess): string {
	return String(child.exitCode ?? child.signalCode);
}
