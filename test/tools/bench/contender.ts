import { mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../support/run-program.js";

/** What the bench lets run against each other. */

/** One run. Times are of the whole process, from its start to its end. */
export interface Run {
	images: number;
	seconds: number;
	/** CPU time of the process and all that it started; not the Hub's. */
	cpuSeconds: number;
	/** Greatest summed PSS in MB, where it was watched. */
	peakPssMb?: number;
	/** Images whose values differ from the C loop's; of those that compute them. */
	valuesDifferent?: number;
}

export interface Contender {
	/** As `--only` has it. */
	name: string;
	/** For people. */
	about: string;
	run(): Promise<Run>;
}

/** What the contenders mirror. */
export interface Course {
	/** Of the loopback Hub. */
	endpoint: string;
	shards: string[];
	/** The shards' pictures, unpacked: one folder a shard. */
	folders: string[];
	/** Where each run makes a folder of its own. */
	scratch: string;
	/** `pixel_sha256 dhash` by the image's id, by the C loop. */
	expected: Map<string, string>;
}

/**
 * A new folder for one run; the bench's end removes them all. Not sooner: ext4 passes over the inodes that were freed
 * lately, one by one, before it gives one out, and a lake that was just deleted made each file of the next cost 0.4 ms.
 */
export function newFolder({ scratch }: Course, name: string): string {
	const folder = join(scratch, name);
	mkdirSync(folder, { recursive: true });
	return folder;
}

export const CORES: number = availableParallelism();

/** What the kernel counts CPU time in: USER_HZ, 100 on every Linux. */
const TICKS = 100;

/** CPU seconds of all ended children of this process, and theirs. */
function childrenCpu(): number {
	const stat = readFileSync("/proc/self/stat", "utf8");
	// Fields 16 and 17, counted after the last `)`: the name before it may hold anything.
	const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
	return (Number(fields[13]) + Number(fields[14])) / TICKS;
}

/** Times `work`, which starts processes and waits for them; nothing else may end children meanwhile. */
export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; seconds: number; cpuSeconds: number }> {
	const cpu = childrenCpu();
	const start = process.hrtime.bigint();
	const value = await work();
	const seconds = Number(process.hrtime.bigint() - start) / 1e9;
	return { value, seconds, cpuSeconds: childrenCpu() - cpu };
}

/** Runs a program to its end; its last line on stdout. Throws, with what it said on stderr, unless it ended with 0. */
export async function lastLine(program: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
	const { code, stdout, stderr } = await runProgram(program, args, env);
	if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}`);
	return stdout.trim().split("\n").at(-1) ?? "";
}

/** This process's environment without what would send a run elsewhere or change what it does. */
export function cleanEnvironment(endpoint: string): NodeJS.ProcessEnv {
	const kept = Object.entries(process.env).filter(([name]) => !/^(IRLAKE_|HF_|HTTPS?_PROXY$)/i.test(name));
	return { ...Object.fromEntries(kept), HF_ENDPOINT: endpoint, LOG_LEVEL: "warn" };
}
