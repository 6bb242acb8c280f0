import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Dataset } from "../pipelines/dataset.js";
import { splitNames } from "../pipelines/splits.js";
import { allShards, shardParts, subsetShards } from "../pipelines/shards.js";
import { aboutCode } from "../schemas/codes.js";
import { LakeError } from "../schemas/errors.js";
import { didYouMean, orList } from "./command-line/nearest.js";
import type { WantedOptions } from "./command-line/options.js";

/** What the options that are more than a value mean: shards of the dataset, addresses, folders. */

/** The shards that `--subset`, `--split` and `--shards` ask for, in the dataset's order. Throws USAGE. */
export function wantedShards(dataset: Dataset, options: Partial<WantedOptions>): string[] {
	const { subsets, defaultSubset } = dataset.layout;
	const subset = options.subset ?? defaultSubset;
	requireKnown("--subset", subset, Object.keys(subsets));
	for (const split of options.split ?? []) requireKnown("--split", split, splitNames(dataset));
	const bySubset = new Set(subsetShards(dataset, subset));
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
				{
					hint: `${didYouMean(part, known)}${aboutCode("USAGE").todo}`,
				},
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

/** Where a source is: on the Hub, or a folder of this machine. */
type SourceAddress = { kind: "hub"; repo: string; revision: string } | { kind: "folder"; folder: string };

const HUB_ADDRESS = /^hf:\/\/([\w.-]+\/[\w.-]+)(?:@([^\s?#]+))?$/;

export function parseSource(text: string): SourceAddress {
	const hub = HUB_ADDRESS.exec(text);
	if (hub?.[1] !== undefined) return { kind: "hub", repo: hub[1], revision: hub[2] ?? "main" };
	if (/^(\/|\.\.?(\/|$))/.test(text)) return { kind: "folder", folder: resolve(text) };
	const folder = folderOf(text);
	if (folder !== null) return { kind: "folder", folder };
	const repository = /^[\w.-]+\/[\w.-]+(@[^\s?#]+)?$/.test(text) ? `Did you mean hf://${text}? ` : "";
	throw new LakeError("USAGE", `--source cannot be ${JSON.stringify(withoutCredentials(text))}.`, {
		hint: `${repository}Give hf://owner/name@revision, file:///folder, or a path such as ./copy.`,
	});
}

/** Where a lake is: a folder of this machine, or below a prefix of a bucket ("": the whole bucket). */
export type LakeAddress = { kind: "folder"; folder: string } | { kind: "s3"; bucket: string; prefix: string };

const S3_ADDRESS = /^s3:\/\/([A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9])(?:\/([^?#\\]*))?$/;
/** Of a key's 1,024 bytes, the lake's own paths need up to 200. */
const LONGEST_PREFIX = 800;

/** Throws LAKE_UNSUPPORTED for storage that this release does not know, USAGE for an address on S3 that cannot be. */
export function parseLake(text: string): LakeAddress {
	const folder = folderOf(text);
	if (folder !== null) return { kind: "folder", folder };
	if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return { kind: "folder", folder: resolve(text) };
	const shown = JSON.stringify(withoutCredentials(text));
	if (!text.startsWith("s3://")) throw new LakeError("LAKE_UNSUPPORTED", `--lake cannot be ${shown}.`);
	const [, bucket, path = ""] = S3_ADDRESS.exec(text) ?? [];
	const prefix = path.replace(/\/+$/, "");
	const steps = prefix === "" ? [] : prefix.split("/");
	const odd = steps.some((step) => step === "" || step === "." || step === "..");
	if (bucket === undefined || odd || Buffer.byteLength(prefix) > LONGEST_PREFIX || /\p{Cc}/u.test(prefix)) {
		throw new LakeError("USAGE", `--lake cannot be ${shown}.`, {
			hint: "Give s3://bucket or s3://bucket/prefix; credentials come from AWS_PROFILE or AWS_ACCESS_KEY_ID and the like.",
		});
	}
	return { kind: "s3", bucket, prefix };
}

/** The folder of a `file:///` address; null for anything else, and for one that cannot be read. */
function folderOf(text: string): string | null {
	if (!text.startsWith("file:///")) return null;
	try {
		return resolve(fileURLToPath(text));
	} catch {
		return null;
	}
}

function withoutCredentials(text: string): string {
	return text.replace(/\/\/[^/@]*@/, "//***@");
}

export interface ScratchOptions {
	scratch?: string | undefined;
}

/** `--scratch`, else `irlake` in the user's cache folder. */
export function scratchFolder(options: ScratchOptions, env: NodeJS.ProcessEnv): string {
	if (options.scratch !== undefined) return resolve(options.scratch);
	return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "irlake");
}
