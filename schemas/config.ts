import { z } from "zod";
import { BAD_IMAGE_MODES, IMAGE_MODES, LONGEST_WHERE, VERIFY_MODES, WHERE_MODES } from "./settings.js";

/** Options of the commands, from flags and `IRLAKE_` variables alike: texts in, checked values out. */

function wholeNumber(least: number, most: number): z.ZodType<number, unknown> {
	const text = z.string().regex(/^\d+$/, `a whole number from ${least} to ${most}`).transform(Number);
	return text.pipe(z.int().min(least).max(most));
}

const ratio = z
	.string()
	.regex(/^(0(\.\d+)?|1(\.0+)?|\.\d+)$/, "a number from 0 to 1")
	.transform(Number);

function secondsFrom(least: number, most: number): z.ZodType<number, unknown> {
	const text = z
		.string()
		.regex(/^\d+(\.\d+)?$/, `seconds from ${least} to ${most}`)
		.transform(Number);
	return text.pipe(z.number().min(least).max(most));
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };

/** `24h`, `30m`, `7d`, `90s`, `90`: in seconds. */
const duration = z
	.string()
	.regex(/^\d+(\.\d+)?[smhd]?$/, "a time such as 24h, 30m, 7d, or a number of seconds")
	.transform((text) => Number.parseFloat(text) * (SECONDS[text.slice(-1) as keyof typeof SECONDS] ?? 1));

const UNITS = { "": 1, K: 1e3, M: 1e6, G: 1e9, KI: 2 ** 10, MI: 2 ** 20, GI: 2 ** 30 };

function inBytes(text: string): number {
	const [, unit = ""] = /([KMG]i?)?B?(?:\/s)?$/i.exec(text) ?? [];
	return Number.parseFloat(text) * UNITS[unit.toUpperCase() as keyof typeof UNITS];
}

/** `20MB`, `500KB/s`, `1.5MiB`, `800000`: bytes a second. */
const bandwidth = z
	.string()
	.regex(/^\d+(\.\d+)?\s*([KMG]i?)?B?(\/s)?$/i, "bytes a second, such as 20MB or 500KB/s")
	.transform(inBytes)
	.pipe(z.number().min(1000, "at least 1KB/s"));

const flag = z.preprocess((value) => {
	if (value === "1" || value === "true") return true;
	if (value === "0" || value === "false" || value === "") return false;
	return value;
}, z.boolean("true or false"));

/** Bytes: `1GB`, `500MB`, `64MiB`, `1000000000`. */
const size = z
	.string()
	.regex(/^\d+(\.\d+)?\s*([KMG]i?)?B?$/i, "a size such as 1GB or 500MB")
	.transform(inBytes)
	.pipe(z.int().min(1));

const nonEmpty = z.string().min(1, "must not be empty");

/** How a store on S3 shall encrypt; absent: as its bucket says. */
export const S3_ENCRYPTIONS = ["AES256", "aws:kms", "aws:kms:dsse"] as const;

/** Where from, where to, and how: the options that the commands share. Absent ones are undefined. */
export const Options = z.object({
	/** Absent: the dataset's own repository. */
	source: nonEmpty.optional(),
	lake: nonEmpty.default("./lake"),
	subset: nonEmpty.optional(),
	split: z.array(nonEmpty).optional(),
	/** `train_1,train_7-9` */
	shards: nonEmpty.optional(),
	concurrency: wholeNumber(1, 64).default(2),
	scratch: nonEmpty.optional(),
	image: z.enum(IMAGE_MODES).optional(),
	quality: wholeNumber(1, 100).optional(),
	max_side: wholeNumber(1, 16383).optional(),
	verify: z.enum(VERIFY_MODES).optional(),
	on_bad_image: z.enum(BAD_IMAGE_MODES).optional(),
	/** "": none. */
	where: z.string().trim().max(LONGEST_WHERE, `at most ${LONGEST_WHERE} characters`).optional(),
	where_mode: z.enum(WHERE_MODES).optional(),
	on_shard_failure: z.enum(["fail", "skip"]).default("fail"),
	max_reject_ratio: ratio.default(0.05),
	/** A file of findings that are no surprise. */
	expect: nonEmpty.optional(),
	keep_rejected: flag.default(false),
	prune: flag.default(false),
	new_settings: flag.default(false),
	/** Bytes a second, over all downloads of the run. */
	bandwidth: bandwidth.optional(),
	retries: wholeNumber(0, 1000).default(5),
	/** Seconds before the first retry. */
	retry_wait: secondsFrom(0, 3600).default(1),
	/** Seconds of silence after which a connection is given up. */
	idle_timeout: secondsFrom(0.1, 3600).default(30),
	allow_private_redirects: flag.default(false),
	single_writer: flag.default(false),
	s3_sse: z.enum(S3_ENCRYPTIONS).optional(),
	s3_sse_kms_key_id: nonEmpty.optional(),
	rehash: flag.default(false),
	json: flag.default(false),
	deep: flag.default(false),
	repair: flag.default(false),
	/** Stands before every key of the queue, so that environments can share one server. */
	queue_prefix: z
		.string()
		.regex(/^[\w.{}-]{1,64}$/, "letters, digits, and . _ - { }")
		.default("irlake"),
	/** Seconds; each command has its own default. */
	grace: duration.optional(),
	/** Snapshots that vacuum keeps: so many of the newest, and those of so many days. */
	keep: wholeNumber(1, 1_000_000).default(7),
	keep_days: wholeNumber(0, 36500).default(0),
	yes: flag.default(false),
	wait: flag.default(false),
	watch: flag.default(false),
	/** Of a schedule: five fields, or six with seconds first. */
	cron: nonEmpty.optional(),
	/** `Europe/Berlin` */
	tz: nonEmpty.optional(),
	snapshot: nonEmpty.default("latest"),
	out: nonEmpty.optional(),
	pairs: z.enum(["rows", "embed"]).default("rows"),
	shard_size: size.default(1e9),
	overwrite: flag.default(false),
	/** How many of each kind a comparison lists; 0: all. */
	limit: wholeNumber(0, 1e9).default(20),
});
export type Options = z.infer<typeof Options>;

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
