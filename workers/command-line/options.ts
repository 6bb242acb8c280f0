import {
	BAD_IMAGE_MODES,
	IMAGE_MODES,
	LONGEST_WHERE,
	MAX_SIDE,
	QUALITY,
	REJECT_RATIO,
	S3_ENCRYPTIONS,
	SHARD_FAILURE_MODES,
	VERIFY_MODES,
	WHERE_MODES,
} from "../../schemas/bounds.js";
import type { DatasetHelp } from "../dataset-help.js";
import type { Command } from "./command.js";
import { orList } from "./nearest.js";
import { defaulted, flag, type OptionSet, optional, type ValuesOf } from "./option.js";
import { bandwidth, choice, decimal, matching, text, texts, textUpTo, whole } from "./readers.js";

/** Options that several commands have. What one command alone has is declared with it. */

/** Which shards are meant; checked against the dataset once it is known. */
export const wantedOptions = ({ subsets, defaultSubset, splits, someShards }: DatasetHelp) => ({
	subset: optional(text, {
		group: "Shards",
		value: "<name>",
		help: orList(subsets),
		choices: subsets,
		defaultText: defaultSubset,
	}),
	split: optional(texts, {
		group: "Shards",
		value: "<name...>",
		help: `${orList(splits)}; several may be given`,
		choices: splits,
	}),
	shards: optional(text, { group: "Shards", value: "<list>", help: `such as ${someShards}` }),
});

export const sourceOptions = (about: DatasetHelp) => ({
	source: optional(text, {
		group: "Source",
		value: "<uri>",
		help: "hf://owner/name@revision or file:///dir",
		path: "folder",
		defaultText: `${about.source}@main`,
	}),
	dataset: optional(choice(about.datasets), {
		group: "Source",
		value: "<name>",
		help: orList(about.datasets),
		defaultText: "the lake's, else the source's",
	}),
	...wantedOptions(about),
	rehash: flag({ group: "Source", help: "hash a local source again, whatever is remembered" }),
});

export const LAKE = {
	lake: defaulted(text, "./lake", {
		group: "Lake",
		value: "<place>",
		help: "a folder, or s3://bucket/prefix",
		path: "folder",
	}),
};

/** Of commands that write to a lake. */
export const LAKE_WRITES = {
	single_writer: flag({ group: "Lake", help: "the store may lack conditional writes" }),
	s3_sse: optional(choice(S3_ENCRYPTIONS), {
		group: "Lake",
		value: "<kind>",
		help: `${orList(S3_ENCRYPTIONS)}: how a lake on S3 is encrypted`,
	}),
	s3_sse_kms_key_id: optional(text, { group: "Lake", value: "<id>", help: "the key for aws:kms" }),
};

export const SCRATCH = {
	scratch: optional(text, {
		group: "Run",
		value: "<dir>",
		help: "downloads and temporary files",
		path: "folder",
		defaultText: "~/.cache/irlake",
	}),
};

const settingsOptions = ({ predicate }: DatasetHelp) => ({
	where: optional(textUpTo(LONGEST_WHERE), {
		group: "What is stored",
		value: "<predicate>",
		help: `only images of which it is true, such as "${predicate}"`,
	}),
	where_mode: optional(choice(WHERE_MODES), {
		group: "What is stored",
		value: "<mode>",
		help: "choose by image, or whole prompts: image or prompt",
		defaultText: "image",
	}),
	image: optional(choice(IMAGE_MODES), { group: "What is stored", value: "<mode>", help: orList(IMAGE_MODES) }),
	quality: optional(whole(QUALITY), {
		group: "What is stored",
		value: "<n>",
		help: `${QUALITY.least} to ${QUALITY.most}, of webp, jpeg and avif`,
	}),
	max_side: optional(whole(MAX_SIDE), {
		group: "What is stored",
		value: "<pixels>",
		help: "longest side of re-encoded images",
	}),
	verify: optional(choice(VERIFY_MODES), { group: "What is stored", value: "<mode>", help: orList(VERIFY_MODES) }),
	on_bad_image: optional(choice(BAD_IMAGE_MODES), {
		group: "What is stored",
		value: "<mode>",
		help: orList(BAD_IMAGE_MODES),
	}),
	keep_rejected: flag({
		group: "What is stored",
		help: "keep the bytes of rejected images in the lake, under rejected/",
	}),
	prune: flag({ group: "What is stored", help: "drop published shards outside --subset and --split" }),
	new_settings: flag({ group: "What is stored", help: "let the settings differ from the lake's" }),
});

export const CONCURRENCY = {
	concurrency: defaulted(whole({ least: 1, most: 64 }), 2, { group: "Run", value: "<n>", help: "shards in flight" }),
};

/** By what a run's shards are judged. */
const JUDGING = {
	on_shard_failure: defaulted(choice(SHARD_FAILURE_MODES), "fail", {
		group: "Run",
		value: "<mode>",
		help: orList(SHARD_FAILURE_MODES),
	}),
	max_reject_ratio: defaulted(decimal(REJECT_RATIO), 0.05, {
		group: "Run",
		value: "<ratio>",
		help: `${REJECT_RATIO.least} to ${REJECT_RATIO.most}, of a shard's rows`,
	}),
};

export const EXPECT = {
	expect: optional(text, {
		group: "Output",
		value: "<file>",
		help: "findings that are known, as JSON: only others are told as new",
		path: "file",
	}),
};

export const QUEUE = {
	queue_prefix: defaulted(matching(/^[\w.{}-]{1,64}$/, "letters, digits, and . _ - { }"), "irlake", {
		group: "Run",
		value: "<text>",
		help: "before every key on the queue's server",
	}),
};

/** How often and how patiently, be it the Hub or a lake on S3. */
export const RETRIES = {
	retries: defaulted(whole({ least: 0, most: 1000 }), 5, {
		group: "Network",
		value: "<n>",
		help: "retries without progress before giving up; any new byte resets the count",
	}),
	retry_wait: defaulted(decimal({ least: 0, most: 3600 }), 1, {
		group: "Network",
		value: "<seconds>",
		help: "before the first retry; doubled with each",
	}),
};

export const NETWORK = {
	bandwidth: optional(bandwidth, {
		group: "Network",
		value: "<rate>",
		help: "most that all downloads take together, such as 20MB or 500KB/s",
	}),
	...RETRIES,
	idle_timeout: defaulted(decimal({ least: 0.1, most: 3600 }), 30, {
		group: "Network",
		value: "<seconds>",
		help: "silence after which a connection is given up",
	}),
	allow_private_redirects: flag({ group: "Network", help: "follow the Hub to addresses of your own network" }),
};

const JSON_DOCUMENT = {
	json: flag({ group: "Output", help: "one JSON document on stdout" }),
};

/** The options of a command, with the one for a document where it has one. */
export function optionsOf({ options, failed }: Pick<Command, "options" | "failed">): OptionSet {
	return failed === null ? options : { ...options, ...JSON_DOCUMENT };
}

/** Of what mirrors, here or on the queue. */
export const mirrorOptions = (about: DatasetHelp) => ({
	...sourceOptions(about),
	...LAKE,
	...LAKE_WRITES,
	...settingsOptions(about),
	...JUDGING,
	...SCRATCH,
});

export type WantedOptions = ValuesOf<ReturnType<typeof wantedOptions>>;
export type MirrorOptions = ValuesOf<ReturnType<typeof mirrorOptions>>;
export type LakeOptions = ValuesOf<typeof LAKE & typeof LAKE_WRITES & typeof SCRATCH>;
export type QueueOptions = ValuesOf<typeof QUEUE>;
export type NetworkOptions = ValuesOf<typeof NETWORK>;
