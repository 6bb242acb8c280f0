import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { allShards, type Dataset, shardParts, splitNames, subsetShards } from "../pipelines/dataset.js";
import { Options } from "../schemas/config.js";
import { LakeError } from "../schemas/errors.js";

/** Whether an option was given at all, by flag or by variable. */
export function isGiven(key: keyof Options, flags: Record<string, unknown>, env: NodeJS.ProcessEnv): boolean {
	return flags[camelCase(key)] !== undefined || Boolean(env[`IRLAKE_${key.toUpperCase()}`]);
}

/** Flags and `IRLAKE_` variables, made into checked options. Flags win. Throws USAGE before any side effect. */
export function readOptions(flags: Record<string, unknown>, env: NodeJS.ProcessEnv): Options {
	const given: Record<string, unknown> = {};
	for (const key of Object.keys(Options.shape)) {
		const flag = flags[camelCase(key)];
		const variable = env[`IRLAKE_${key.toUpperCase()}`];
		if (flag !== undefined) given[key] = flag;
		else if (variable !== undefined && variable !== "") {
			given[key] = variable;
		}
	}
	if (given.split !== undefined) given.split = [given.split].flat().flatMap((text) => String(text).split(","));
	const parsed = Options.safeParse(given);
	if (parsed.success) return parsed.data;
	const [issue] = parsed.error.issues;
	const key = String(issue?.path[0]);
	const name = flags[camelCase(key)] !== undefined ? `--${key.replaceAll("_", "-")}` : `IRLAKE_${key.toUpperCase()}`;
	const allowed = issue?.code === "invalid_value" ? `one of ${issue.values.join(", ")}` : issue?.message;
	const value = [given[key]].flat().join(",");
	throw new LakeError("USAGE", `${name} cannot be ${JSON.stringify(value)}: ${allowed}`, { path: name });
}

function camelCase(key: string): string {
	return key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The shards that `--subset`, `--split` and `--shards` ask for, in the dataset's order. Throws USAGE. */
export function wantedShards(dataset: Dataset, options: Pick<Options, "subset" | "split" | "shards">): string[] {
	const bySubset = new Set(subsetShards(dataset, options.subset ?? dataset.layout.defaultSubset));
	const splits = new Set<string>(options.split ?? splitNames(dataset));
	const named = options.shards === undefined ? null : parseShards(dataset, options.shards);
	if (named && (options.subset !== undefined || options.split !== undefined)) {
		for (const shard of named) {
			if (bySubset.has(shard) && splits.has(shardParts(shard).split)) continue;
			throw new LakeError("USAGE", `--shards names ${shard}, which lies outside --subset or --split`);
		}
	}
	const wanted = allShards(dataset).filter((shard) => {
		return named ? named.has(shard) : bySubset.has(shard) && splits.has(shardParts(shard).split);
	});
	return wanted;
}

/** `train_1,train_7-9` → the four names. */
function parseShards(dataset: Dataset, text: string): Set<string> {
	const known = new Set(allShards(dataset));
	const named = new Set<string>();
	for (const part of text.split(",").map((one) => one.trim())) {
		const match = /^([A-Za-z0-9-]+)_(\d+)(?:-(\d+))?$/.exec(part);
		const [, split, first = "", last = first] = match ?? [];
		if (!match || Number(last) < Number(first)) {
			throw new LakeError(
				"USAGE",
				`--shards cannot be read at ${JSON.stringify(part)}: give names such as train_1,train_7-9`,
			);
		}
		for (let number = Number(first); number <= Number(last); number++) {
			const shard = `${split}_${number}`;
			if (!known.has(shard))
				throw new LakeError("USAGE", `--shards names ${shard}, which ${dataset.repo} does not have`);
			named.add(shard);
		}
	}
	return named;
}

/** Where a source is: on the Hub, or a folder of this machine. */
export type SourceAddress = { kind: "hub"; repo: string; revision: string } | { kind: "folder"; folder: string };

const HUB_ADDRESS = /^hf:\/\/([\w.-]+\/[\w.-]+)(?:@([^\s?#]+))?$/;

export function parseSource(text: string): SourceAddress {
	const hub = HUB_ADDRESS.exec(text);
	if (hub?.[1] !== undefined) return { kind: "hub", repo: hub[1], revision: hub[2] ?? "main" };
	if (/^(\/|\.\.?(\/|$))/.test(text)) return { kind: "folder", folder: resolve(text) };
	const folder = folderOf(text);
	if (folder !== null) return { kind: "folder", folder };
	throw new LakeError("USAGE", `--source cannot be ${JSON.stringify(withoutCredentials(text))}`, {
		hint: "Give hf://owner/name@revision, file:///folder, or a path such as ./copy.",
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
	if (!text.startsWith("s3://")) throw new LakeError("LAKE_UNSUPPORTED", `--lake cannot be ${shown}`);
	const [, bucket, path = ""] = S3_ADDRESS.exec(text) ?? [];
	const prefix = path.replace(/\/+$/, "");
	const steps = prefix === "" ? [] : prefix.split("/");
	const odd = steps.some((step) => step === "" || step === "." || step === "..");
	if (bucket === undefined || odd || Buffer.byteLength(prefix) > LONGEST_PREFIX || /\p{Cc}/u.test(prefix)) {
		throw new LakeError("USAGE", `--lake cannot be ${shown}`, {
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

/** `--scratch`, else `irlake` in the user's cache folder. */
export function scratchFolder(options: Partial<Pick<Options, "scratch">>, env: NodeJS.ProcessEnv): string {
	if (options.scratch !== undefined) return resolve(options.scratch);
	return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "irlake");
}
