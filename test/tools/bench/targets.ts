import type { Run } from "./contender.js";

/** What is asked of this project's speed, and whether it is met. Ratios of images per second, of medians. */

export interface Target {
	name: string;
	ours: string;
	theirs: string;
	least: number;
}

/** @param floor least ratio to the C loop */
export function targets(floor: number): Target[] {
	return [
		{ name: "the C loop", ours: "mirror", theirs: "floor", least: floor },
		{ name: "the Python pool", ours: "mirror", theirs: "pool", least: 1.4 },
		{ name: "the shell pipeline", ours: "mirror", theirs: "shell", least: 2 },
		{ name: "the Python pool, with --verify structure", ours: "structure", theirs: "pool", least: 2 },
		{ name: "the shell pipeline, with --verify structure", ours: "structure", theirs: "shell", least: 4 },
	];
}

export interface Judged extends Target {
	ratio: number;
	met: boolean;
}

/** Targets both of whose contenders ran. */
export function judge(list: Target[], rates: ReadonlyMap<string, number>): Judged[] {
	return list.flatMap((target) => {
		const [ours, theirs] = [rates.get(target.ours), rates.get(target.theirs)];
		if (ours === undefined || theirs === undefined) return [];
		const ratio = ours / theirs;
		return [{ ...target, ratio, met: ratio >= target.least }];
	});
}

export interface Spread {
	median: number;
	min: number;
	max: number;
}

export function spread(values: number[]): Spread {
	const sorted = values.toSorted((a, b) => a - b);
	const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
	return { median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** Images per second. */
export function rate({ images, seconds }: Run): number {
	return images / seconds;
}
