import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type CliDocument, documentOf } from "../support/cli.js";
import { digestOf, filesEnding, readPinned } from "../support/lake.js";
import type { Fleet, FleetLake, Worker } from "./fleet.js";

/** Workers that are killed all the time, a queue that crashes and is emptied, and what is left of the lake after that. */

export interface ChaosOptions {
	seed: number;
	workers: number;
	/** Kills that must land on a worker with a shard in its hands. */
	kills: number;
	/** Milliseconds between two kills. */
	every: number;
	/** After how many kills the queue's server crashes, and after how many it is emptied. */
	restartAfter: number;
	wipeAfter: number;
	/** Seconds within which all must be over. */
	seconds: number;
}

export interface ChaosEnd {
	document: CliDocument;
	digest: string;
	/** Kills in all, and those of a worker that had a shard. */
	killed: number;
	onActive: number;
	seconds: number;
	/** Snapshots that readers saw while it went on, 0 where none. */
	seen: number[];
	/** Receipts whose bytes changed after they were first seen. */
	changedReceipts: string[];
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** Runs a mirror on the queue through all of it. Throws when it is not over in time. */
export async function chaos(fleet: Fleet, lake: FleetLake, options: ChaosOptions): Promise<ChaosEnd> {
	const random = generator(options.seed);
	const started = performance.now();
	const scratches = Array.from({ length: options.workers }, () => fleet.world.fresh("scratch"));
	const args = ["--concurrency", "1"];
	const workers = await Promise.all(scratches.map((scratch) => lake.worker(args, { scratch })));
	const receipts = new Map<string, string>();
	const told = { killed: 0, onActive: 0, seen: new Set<number>(), changedReceipts: [] as string[] };
	let document: CliDocument | null = null;
	const mirroring = lake.mirrored().then((end) => {
		document = documentOf(end);
	});
	let [restarted, wiped] = [false, false];
	const over = (): boolean => document !== null;
	while (!over()) {
		if (performance.now() - started > options.seconds * 1000)
			throw new Error(`not over: ${JSON.stringify({ ...told })}`);
		await Promise.race([setTimeout(options.every), mirroring]);
		look(lake, receipts, told);
		if (over() || told.onActive >= options.kills) continue;
		const at = Math.floor(random() * workers.length);
		const victim = workers[at] as Worker;
		const busy = await holdsShard(lake, victim);
		victim.kill("SIGKILL");
		await victim.ended;
		told.killed += 1;
		if (busy) told.onActive += 1;
		// Not waited for: killing goes on while it starts.
		workers[at] = await lake.start(args, { scratch: scratches[at] as string });
		if (!restarted && told.killed >= options.restartAfter) {
			restarted = true;
			await fleet.redis.restart();
		}
		if (!wiped && told.killed >= options.wipeAfter) {
			wiped = true;
			await fleet.redis.client.flushall();
		}
	}
	await mirroring;
	look(lake, receipts, told);
	await lake.stopWorkers();
	if (!document || !restarted || !wiped) throw new Error("it was over before the queue had been crashed and emptied");
	const { killed, onActive, seen, changedReceipts } = told;
	const seconds = Math.round((performance.now() - started) / 1000);
	return { document, digest: digestOf(lake.path), killed, onActive, seconds, seen: [...seen], changedReceipts };
}

/** What a reader sees at this moment: a whole snapshot or none, and receipts that never change. */
function look(
	lake: FleetLake,
	receipts: Map<string, string>,
	told: { seen: Set<number>; changedReceipts: string[] },
): void {
	told.seen.add(readPinned(lake.path));
	for (const { path } of filesEnding(join(lake.path, "receipts"), ".json")) {
		const content = readFileSync(path, "utf8");
		const before = receipts.get(path);
		if (before !== undefined && before !== content) told.changedReceipts.push(path);
		receipts.set(path, content);
	}
}

/** Whether the queue has a job in the worker's hands: its progress names the worker, and it is active. */
async function holdsShard(lake: FleetLake, { pid }: Worker): Promise<boolean> {
	const { client } = lake.fleet.redis;
	const ids = await lake.active();
	const told = await Promise.all(ids.map((id) => client.hget(`${lake.prefix}:shards:${id}`, "progress")));
	return told.some((text) => text?.includes(`-${pid}-`));
}
