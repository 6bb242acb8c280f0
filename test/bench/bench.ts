import { readFileSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DuckDBInstance } from "@duckdb/node-api";
import { Latest, Snapshot } from "../../schemas/records.js";
import { runProgram } from "../consumers/run-program.js";
import { startHub } from "../hub/client.js";
import { buildFloor, floorValues, runFloor } from "./floor.js";
import { runMirror } from "./mirror-run.js";
import { CACHE, cachedSource, cachedUnpacked, trainShards, writeResult, zipPath } from "./samples.js";

/**
 * How fast a mirror from a loopback Hub is, beside a C loop over the unpacked files that computes only what
 * must be computed. Interleaved runs, medians, page cache warm. Ends with 1 when a value differs from the C
 * loop's or the ratio is below --at-least.
 */

/** Below this share of all cores the C loop shared them with somebody. */
const BUSY = 0.9;

const USAGE = `Usage: node dist/test/bench/bench.js [options]
  --runs N         interleaved runs (5)
  --shards N       train shards (3)
  --images N       images a shard (700)
  --at-least R     least ratio of images per second to the C loop's (0.70)
  --concurrency N  of the mirror (2)
`;

/** `pixel_sha256 dhash` by the image's id, from the parquet files that the newest snapshot lists. */
async function lakeValues(lake: string): Promise<Map<string, string>> {
	const latest = Latest.parse(JSON.parse(readFileSync(join(lake, "latest.json"), "utf8")));
	const snapshot = Snapshot.parse(JSON.parse(readFileSync(join(lake, latest.snapshot), "utf8")));
	const files = (snapshot.tables.images?.files ?? []).map(({ path }) => `'${join(lake, path).replaceAll("'", "''")}'`);
	const instance = await DuckDBInstance.create(":memory:");
	const connection = await instance.connect();
	const query = `SELECT image_id, pixel_sha256 || ' ' || dhash FROM read_parquet([${files.join(", ")}])`;
	const rows = (await connection.runAndReadAll(query)).getRows();
	connection.closeSync();
	instance.closeSync();
	return new Map(rows.map(([id, values]) => [String(id), String(values)]));
}

/** How many images differ, or are on one side only. */
function countDifferent(floor: Map<string, string>, lake: Map<string, string>): number {
	let different = [...lake.keys()].filter((id) => !floor.has(id)).length;
	for (const [id, values] of floor) if (lake.get(id) !== values) different += 1;
	return different;
}

function median(values: number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const middle = sorted.length >> 1;
	const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]];
	return (low + high) / 2;
}

/** Waits until what was written is on disk, so that no run pays for the one before it. */
async function settle(): Promise<void> {
	await runProgram("sync", []);
}

function readArguments() {
	const text = { type: "string" } as const;
	const { values } = parseArgs({
		options: {
			runs: { ...text, default: "5" },
			shards: { ...text, default: "3" },
			images: { ...text, default: "700" },
			"at-least": { ...text, default: "0.70" },
			concurrency: { ...text, default: "2" },
			help: { type: "boolean" },
		},
	});
	if (values.help) {
		process.stdout.write(USAGE);
		process.exit(0);
	}
	return {
		runs: Number(values.runs),
		shards: Number(values.shards),
		images: Number(values.images),
		atLeast: Number(values["at-least"]),
		concurrency: Number(values.concurrency),
	};
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
const folder = join(CACHE, "run");
const runs: Record<string, number>[] = [];
try {
	for (let run = 1; run <= options.runs; run++) {
		await settle();
		const loop = await runFloor(floor, folders);
		await settle();
		const cpuBefore = await hubCpu();
		const mirror = await runMirror({
			endpoint: hub.endpoint,
			shards: shards.join(","),
			folder,
			concurrency: options.concurrency,
			sampleEveryMs: 500,
		});
		const result = {
			floor_images_per_second: loop.images_per_second,
			floor_cpu_share: loop.cpu_seconds / (loop.seconds * loop.threads),
			mirror_images_per_second: mirror.images / mirror.wallSeconds,
			ratio: mirror.images / mirror.wallSeconds / loop.images_per_second,
			mirror_seconds: mirror.wallSeconds,
			hub_cpu_seconds: (await hubCpu()) - cpuBefore,
			peak_pss_mb: mirror.memory.peakBytes / 1e6,
			values_different: countDifferent(expected, await lakeValues(join(folder, "lake"))),
		};
		runs.push(result);
		const shown = Object.entries(result).map(([name, value]) => `${name} ${value.toFixed(2)}`);
		process.stderr.write(`run ${run}: ${shown.join(", ")}\n`);
	}
} finally {
	await hub.stop();
	rmSync(folder, { recursive: true, force: true });
}

const medianOf = (name: string) => median(runs.map((run) => run[name] ?? Number.NaN));
const result = {
	images: expected.size,
	shards: shards.length,
	cores: cpus().length,
	medians: {
		floor_images_per_second: medianOf("floor_images_per_second"),
		floor_cpu_share: medianOf("floor_cpu_share"),
		mirror_images_per_second: medianOf("mirror_images_per_second"),
		hub_cpu_seconds: medianOf("hub_cpu_seconds"),
		peak_pss_mb: medianOf("peak_pss_mb"),
	},
	ratio: medianOf("mirror_images_per_second") / medianOf("floor_images_per_second"),
	least_ratio: options.atLeast,
	values_different: runs.reduce((sum, run) => sum + (run.values_different ?? 0), 0),
	runs,
};
const path = writeResult("result.json", result);
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
process.stderr.write(
	`ratio ${result.ratio.toFixed(3)} of the C loop, ${result.values_different} values differ; ${path}\n`,
);
if (result.medians.floor_cpu_share < BUSY) {
	process.stderr.write("The C loop did not get all cores: something else ran, and the ratio says little.\n");
}
process.exitCode = result.ratio >= options.atLeast && result.values_different === 0 ? 0 : 1;
