import type { Run } from "./contender.js";
import type { Machine } from "./machine.js";
import type { Judged } from "./targets.js";

/** What a bench leaves under `.cache/bench`, for the page. */

export interface TimedRun extends Run {
	/** CPU time that the loopback Hub took beside it, on the same cores. */
	hubCpuSeconds: number;
}

export interface BenchResult {
	/** Different 512×512 pictures, over all shards. */
	images: number;
	shards: number;
	machine: Machine;
	versions: Record<string, string>;
	contenders: { name: string; about: string; runs: TimedRun[] }[];
	targets: Judged[];
	values_different: number;
}

/** What the bench of uploads leaves: the same files to one S3 server, by irlake's store and by s5cmd. */
export interface UploadResult {
	objects: number;
	/** Of each object. */
	bytes: number;
	/** Of irlake's to s5cmd's objects per second, by medians; and the least that is asked. */
	ratio: number;
	least: number;
	/** Of each round. */
	seconds: number[];
	s5cmd_seconds: number[];
}
