import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Dataset } from "../pipelines/dataset.js";
import { allShards, shardParts, subsetShards } from "../pipelines/shards.js";
import { splitNames } from "../pipelines/splits.js";
import { aboutCode } from "../schemas/codes.js";
import { LakeError } from "../schemas/errors.js";
import { didYouMean, orList } from "./command-line/nearest.js";
import type { WantedOptions } from "./command-line/options.js";

/** What the options that are more than a value mean: shards of the dataset, folders. */

/**
 * The shards that `--subset`, `--split` and `--shards` ask for, in the dataset's order. Throws USAGE.
 * @param unnamed those that are meant where neither a subset nor shards are named
 */
export function wantedShards(
	dataset: Dataset,
	options: Partial<WantedOptions>,
	unnamed: readonly string[] = subsetShards(dataset, dataset.layout.defaultSubset),
): string[] {
	const { subset } = options;
	if (subset !== undefined) requireKnown("--subset", subset, Object.keys(dataset.layout.subsets));
	for (const split of options.split ?? []) requireKnown("--split", split, splitNames(dataset));
	const bySubset = new Set(subset === undefined ? unnamed : subsetShards(dataset, subset));
	const splits = new Set<string>(options.split ?? splitNames(dataset));
	const named = options.shards === undefined ? null : parseShards(dataset, options.shards);
	if (named && (options.subset !== undefined || options.split !== undefined)) {
		for (const shard of named) {
			if (bySubset.has(shard) && splits.has(shardParts(shard).split)) continue;
			throw new LakeError("USAGE", `--shards names ${shard}, which lies outside --subset or --split.`);
		}
	}
	return allShards(dataset).filter((shard) => {
		return named ? named.has(shard) : bySubset.has(shard) && splits.has(shardParts(shard).split);
	});
}

function requireKnown(option: string, given: string, known: readonly string[]): void {
	if (known.includes(given)) return;
	throw new LakeError("USAGE", `${option} cannot be ${JSON.stringify(given)}: give ${orList(known)}.`, {
		path: option,
		hint: `${didYouMean(given, known)}${aboutCode("USAGE").todo}`,
	});
}

/** `a_1,a_7-9` → the four names. */
function parseShards(dataset: Dataset, text: string): Set<string> {
	const known = new Set(allShards(dataset));
	const named = new Set<string>();
	for (const part of text.split(",").map((one) => one.trim())) {
		const match = /^([A-Za-z0-9-]+)_(\d+)(?:-(\d+))?$/.exec(part);
		const [, split = "", first = "", last = first] = match ?? [];
		if (!match || Number(last) < Number(first)) {
			throw new LakeError(
				"USAGE",
				`--shards cannot be read at ${JSON.stringify(part)}: give names such as ${dataset.card.examples.someShards}.`,
				{ hint: `${didYouMean(part, known)}${aboutCode("USAGE").todo}` },
			);
		}
		for (let number = Number(first); number <= Number(last); number++) {
			const shard = `${split}_${number}`;
			if (!known.has(shard)) throw unknownShard(dataset, shard, known);
			named.add(shard);
		}
	}
	return named;
}

/** Tells which shards there are: those of its split, else of all splits. */
function unknownShard(dataset: Dataset, shard: string, known: Set<string>): LakeError {
	const { split, number } = shardParts(shard);
	const { splits } = dataset.layout;
	const own = splits.find(({ name }) => name === split);
	const ranges = (own ? [own] : splits).map(({ name, shards }) => {
		return shards === 1 ? `${name}_1` : `${name}_1 to ${name}_${shards}`;
	});
	const meant = own ? `Did you mean ${split}_${number < 1 ? 1 : own.shards}? ` : didYouMean(shard, known);
	return new LakeError("USAGE", `--shards names ${shard}, but ${dataset.repo} has ${ranges.join(", ")}.`, {
		hint: `${meant}${aboutCode("USAGE").todo}`,
	});
}

export interface ScratchOptions {
	scratch?: string | undefined;
}

/** `--scratch`, else `irlake` in the user's cache folder. */
export function scratchFolder(options: ScratchOptions, env: NodeJS.ProcessEnv): string {
	if (options.scratch !== undefined) return resolve(options.scratch);
	return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "irlake");
}
