import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runProgram } from "../../support/run-program.js";
import { startHub } from "../hub/client.js";
import { CORES, type Contender, type Course, type Run } from "./contender.js";
import { buildFloor, floorContender, floorValues } from "./floor.js";
import { machine, versions } from "./machine.js";
import { mirrorContender } from "./mirror-run.js";
import { benchPython, pythonContender, shellContender } from "./others.js";
import type { BenchResult, TimedRun } from "./result.js";
import { CACHE, cachedSource, cachedUnpacked, trainShards, writeResult, zipPath } from "./samples.js";
import { judge, rate, spread, targets } from "./targets.js";

/**
 * How fast a mirror from a loopback Hub is, beside a C loop over the unpacked files that computes only what must be
 * computed, and beside what people use without this project. Interleaved runs, medians, page cache warm. Ends with 1
 * when a value differs from the C loop's or a target is missed.
 */

/** Below this share of all cores the C loop shared them with somebody. */
const BUSY = 0.9;

const ALL = ["floor", "mirror", "structure", "shell", "pool", "python"] as const;
type Name = (typeof ALL)[number];

const USAGE = `Usage: node dist/test/tools/bench/bench.js [options]
  --runs N         interleaved runs (5)
  --shards N       train shards (3)
  --images N       images a shard (1560)
  --only LIST      of ${ALL.join(",")}; or all (floor,mirror)
  --at-least R     least ratio of images per second to the C loop's (0.85)
  --concurrency N  of the mirror (2)
  --result FILE    name under .cache/bench (result.json)
`;

function readArguments() {
	const text = { type: "string" } as const;
	const { values } = parseArgs({
		options: {
			runs: { ...text, default: "5" },
			shards: { ...text, default: "3" },
			images: { ...text, default: "1560" },
			only: { ...text, default: "floor,mirror" },
			"at-least": { ...text, default: "0.85" },
			concurrency: { ...text, default: "2" },
			result: { ...text, default: "result.json" },
			help: { type: "boolean" },
		},
	});
	const names = values.only === "all" ? [...ALL] : (values.only.split(",") as Name[]);
	const unknown = names.filter((name) => !ALL.includes(name));
	if (values.help || unknown.length > 0) {
		(values.help ? process.stdout : process.stderr).write(USAGE);
		process.exit(values.help ? 0 : 2);
	}
	return {
		runs: Number(values.runs),
		shards: Number(values.shards),
		images: Number(values.images),
		names,
		atLeast: Number(values["at-least"]),
		concurrency: Number(values.concurrency),
		result: values.result,
	};
}

/** In the order asked for; what is not asked for need not be installed. */
async function enlist(names: Name[], floor: string, course: Course, concurrency: number): Promise<Contender[]> {
	const makers: Record<Name, () => Contender | Promise<Contender>> = {
		floor: () => floorContender(floor, course),
		mirror: () => mirrorContender(course, concurrency, "decode"),
		structure: () => mirrorContender(course, concurrency, "structure"),
		shell: () => shellContender(course),
		pool: () => pythonContender(course, true),
		python: () => pythonContender(course, false),
	};
	const made: Contender[] = [];
	for (const name of names) made.push(await makers[name]());
	return made;
}

/** Waits until what was written is on disk, so that no run pays for the one before it. */
async function settle(): Promise<void> {
	await runProgram("sync", []);
}

function tell(round: number, name: string, run: TimedRun): void {
	const parts = [
		`${rate(run).toFixed(2)} images/s in ${run.seconds.toFixed(2)} s`,
		`cpu share ${(run.cpuSeconds / (run.seconds * CORES)).toFixed(2)}`,
		`hub cpu ${run.hubCpuSeconds.toFixed(2)} s`,
	];
	if (run.peakPssMb !== undefined) parts.push(`peak pss ${run.peakPssMb.toFixed(0)} MB`);
	if (run.valuesDifferent !== undefined) parts.push(`${run.valuesDifferent} values differ`);
	process.stderr.write(`run ${round}: ${name.padEnd(9)} ${parts.join(", ")}\n`);
}

const options = readArguments();
const floor = await buildFloor();
const source = await cachedSource(options.shards, options.images, 1);
const shards = trainShards(options.shards);
const folders = await cachedUnpacked(source, shards);
const expected = await floorValues(floor, folders, join(CACHE, "floor-values.txt"));
for (const shard of shards) readFileSync(zipPath(source, shard)); // the pictures were read just now, the zips not

const hub = await startHub(source);
const hubCpu = async () => {
	const { user, system } = (await hub.counters()).cpu_seconds;
	return user + system;
};
const scratch = join(CACHE, "run");
rmSync(join(CACHE, options.result), { force: true }); // nobody shall take the last bench's figures for this one's
const runs = new Map<string, TimedRun[]>();
let contenders: Contender[] = [];
try {
	const course = { endpoint: hub.endpoint, shards, folders, scratch, expected };
	contenders = await enlist(options.names, floor, course, options.concurrency);
	for (let round = 1; round <= options.runs; round++) {
		for (const { name, run } of contenders) {
			await settle();
			const before = await hubCpu();
			const timed: Run = await run();
			const done = { ...timed, hubCpuSeconds: (await hubCpu()) - before };
			if (done.images !== expected.size) throw new Error(`${name} counted ${done.images} of ${expected.size} images`);
			runs.set(name, [...(runs.get(name) ?? []), done]);
			tell(round, name, done);
		}
	}
} finally {
	await hub.stop();
	rmSync(scratch, { recursive: true, force: true });
}

const rates = new Map([...runs].map(([name, list]) => [name, spread(list.map(rate)).median]));
const judged = judge(targets(options.atLeast), rates);
const different = [...runs.values()].flat().reduce((sum, { valuesDifferent = 0 }) => sum + valuesDifferent, 0);
const usesPython = options.names.includes("pool") || options.names.includes("python");
const result: BenchResult = {
	images: expected.size,
	shards: shards.length,
	machine: machine(),
	versions: await versions(usesPython ? await benchPython() : null),
	contenders: contenders.map(({ name, about }) => ({ name, about, runs: runs.get(name) ?? [] })),
	targets: judged,
	values_different: different,
};
const path = writeResult(options.result, result);
for (const [name, list] of runs) {
	const { median, min, max } = spread(list.map(rate));
	process.stdout.write(`${name.padEnd(9)} ${median.toFixed(1)} images/s (${min.toFixed(1)}–${max.toFixed(1)})\n`);
}
for (const { name, ratio, least, met } of judged) {
	process.stdout.write(`ratio ${ratio.toFixed(3)} of ${name}, at least ${least}: ${met ? "met" : "MISSED"}\n`);
}
process.stderr.write(`${different} values differ; ${path}\n`);
const share = spread((runs.get("floor") ?? []).map(({ cpuSeconds, seconds }) => cpuSeconds / (seconds * CORES))).median;
if (share < BUSY) {
	process.stderr.write("The C loop did not get all cores: something else ran, and the ratio says little.\n");
}
process.exitCode = different === 0 && judged.every(({ met }) => met) ? 0 : 1;
