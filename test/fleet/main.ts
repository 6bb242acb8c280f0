import { join } from "node:path";
import { parseArgs } from "node:util";
import { filesEnding } from "../support/lake.js";
import { ROOT } from "../support/root.js";
import { runProgram } from "../support/run-program.js";
import { chaos } from "./chaos.js";
import { Fleet } from "./fleet.js";

/**
 * `make chaos`: all 36 shards, four workers, a kill every two seconds until twenty have hit a shard at work, a crash of
 * Redis and an emptied queue; then the lake is compared with one that nothing disturbed. Ends with 1 where they differ.
 */

const BYTES_PER_SECOND = 12_000;
const LEAST_SECONDS = 3;

const { values } = parseArgs({ options: { seed: { type: "string", default: "1" } } });
const names = (split: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${split}_${i + 1}`);
const shards = [...names("train", 32), ...names("validation", 2), ...names("test", 2)];

/** By a script that knows nothing of the product. */
async function digest(lake: string): Promise<string> {
	const script = join(ROOT, "test/consumers/lake_digest.py");
	const { code, stdout, stderr } = await runProgram("python3", [script, lake]);
	if (code !== 0) throw new Error(stderr);
	return stdout.trim();
}

const fleet = await Fleet.open("chaos", { shards, images: 8, size: 64, bytesPerSecond: BYTES_PER_SECOND });
try {
	const smallest = Math.min(...filesEnding(fleet.world.source, ".zip").map(({ bytes }) => bytes));
	const work = smallest / BYTES_PER_SECOND;
	if (work < LEAST_SECONDS) throw new Error(`the smallest shard takes ${work.toFixed(1)} s only`);
	const reference = fleet.world.lake("reference");
	const { code } = await reference.mirror({ concurrency: 36 });
	const lake = fleet.lake("chaos");
	const seed = Number(values.seed);
	const options = { seed, workers: 4, kills: 20, every: 2000, restartAfter: 8, wipeAfter: 14, seconds: 600 };
	const end = await chaos(fleet, lake, options);
	const same = code === 0 && (await digest(lake.path)) === (await digest(reference.path));
	const whole = end.seen.every((number) => number === 0 || number === 1);
	const good = same && whole && end.changedReceipts.length === 0 && end.onActive >= options.kills;
	const { killed, onActive, seconds, seen } = end;
	const told = { seed, shards: shards.length, seconds_a_shard: Number(work.toFixed(1)), killed, on_active: onActive };
	const rest = { seconds, seen, changed_receipts: end.changedReceipts.length, same_bytes: same, ok: good };
	process.stdout.write(`${JSON.stringify({ ...told, ...rest }, null, 2)}\n`);
	process.exitCode = good && end.document.exit_code === 0 ? 0 : 1;
} finally {
	await fleet.close();
}
