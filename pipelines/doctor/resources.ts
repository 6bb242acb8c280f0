import type { SourceSurvey, Wanted } from "./source.js";
import { failed, ok, type Verdict, warn } from "./verdict.js";

/** Disk space and memory that a full run takes, and what is available. Sizes in bytes. */

/** A shard's zip, if the source does not tell its size. */
const TYPICAL_ZIP = 640e6;
/** Size of tables and records in proportion to the objects. */
const TABLES_SHARE = 0.02;
/** Spill of the table writer, metadata, findings. */
const SCRATCH_SPARE = 256e6;
/** Peak of a mirror on two cores (`test/tools/bench/memory.ts` fails above it). */
const MEMORY_OF_TWO = 700e6;
/** For each further image thread, with a picture of common size. */
const MEMORY_PER_THREAD = 50e6;

interface DiskNeed {
	lake: number;
	scratch: number;
	/** Whether the sizes come from the source. */
	known: boolean;
}

/**
 * @param survey null if the source could not be reached
 * @param present shards that the lake already has
 * @param inScratch zips that are in scratch at once; 0 for a folder
 */
export function diskNeed(
	survey: SourceSurvey | null,
	wanted: Wanted,
	present: ReadonlySet<string>,
	inScratch: number,
): DiskNeed {
	const todo = wanted.shards.filter((shard) => !present.has(shard));
	const sizes = todo.map((shard) => survey?.shards.get(shard) ?? TYPICAL_ZIP).sort((a, b) => b - a);
	const sum = (some: number[]): number => some.reduce((total, size) => total + size, 0);
	return {
		lake: sum(sizes) * (1 + TABLES_SHARE),
		scratch: todo.length === 0 ? 0 : sum(sizes.slice(0, inScratch)) + SCRATCH_SPARE,
		known: survey !== null,
	};
}

/** Space on the disk of the folder `what` (`scratch`, `lake`). */
export interface DiskSpace {
	what: string;
	folder: string;
	free: number;
	need: number;
	/** Needed for the other folder on the same file system. */
	beside: number;
}

export function diskVerdict(space: DiskSpace, known: boolean, sizeText: (bytes: number) => string): Verdict {
	const need = space.need + space.beside;
	const about = known ? "" : "about ";
	const both = space.beside > 0 ? ", lake and scratch together," : "";
	const takes = `a full run${both} takes ${about}${sizeText(need)}`;
	const detail = `${sizeText(space.free)} free in ${space.folder}; ${takes}`;
	if (space.free >= need) return ok(detail);
	return failed(`Only ${detail}.`, `Free space, choose another --${space.what}, or mirror fewer shards (--subset 1k).`);
}

/** @param available memory that this process may still take, by the kernel or the container's limit */
export function memoryVerdict(available: number, threads: number, sizeText: (bytes: number) => string): Verdict {
	const need = MEMORY_OF_TWO + MEMORY_PER_THREAD * Math.max(0, threads - 2);
	const detail = `${sizeText(available)} available; a mirror with ${threads} image threads takes up to ${sizeText(need)}`;
	if (available >= need) return ok(detail);
	const mend = "End other programs, raise the container's limit, or run it on a larger machine.";
	return available >= need / 2 ? warn(`${detail}.`, mend) : failed(`${detail}.`, mend);
}

/** Whether `v20.20.2` is at least `>=20.19`. */
export function nodeVerdict(version: string, engines: string): Verdict {
	const parts = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number);
	const [have, least] = [parts(version), parts(engines)];
	const at = least.findIndex((part, index) => part !== (have[index] ?? 0));
	if (at === -1 || (have[at] ?? 0) > (least[at] ?? 0)) return ok(version);
	return failed(`Node ${version} is older than ${engines}.`, "Install a newer Node.");
}
