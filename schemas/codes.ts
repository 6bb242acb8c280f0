/**
 * Every finding code and every error code, each in one table with its meaning and what to do.
 * `docs/codes.md` is generated from these two tables, and a test keeps them in step.
 */

export type Severity = "warn" | "reject" | "fatal";
export type FindingLevel = "run" | "shard" | "row" | "image" | "warn";

interface FindingText {
	level: FindingLevel;
	severity: Severity;
	meaning: string;
	todo: string;
}

const AGAIN = "Run the mirror again. If the error comes back, the source itself is broken: tell its owner.";
const UPSTREAM = "There is nothing to do: the row is in quarantine. Tell the dataset's owner if the defect is new.";

/** Findings: what validation can find wrong with the source. */
export const FINDINGS = {
	SHARD_MISSING: {
		level: "run",
		severity: "fatal",
		meaning: "A shard that you asked for is not in the source.",
		todo: "Check --source, --subset and --shards, or choose a revision that has the shard.",
	},
	METADATA_MISSING: {
		level: "run",
		severity: "fatal",
		meaning: "A split's metadata parquet is missing or unreadable, or its hash is not the one that the source lists.",
		todo: AGAIN,
	},
	METADATA_SCHEMA_DRIFT: {
		level: "run",
		severity: "fatal",
		meaning: "A column of the metadata parquet is missing, renamed, or of another type than expected.",
		todo: "Mirror an older revision, or update the dataset's definition.",
	},
	SHARD_HASH_MISMATCH: {
		level: "shard",
		severity: "fatal",
		meaning: "The shard was downloaded twice, and its bytes never had the SHA-256 that the source lists.",
		todo: AGAIN,
	},
	ZIP_CORRUPT: {
		level: "shard",
		severity: "fatal",
		meaning: "The zip's directory cannot be read, or has more entries than its end record says.",
		todo: "Look at the zip (a downloaded one is kept under <scratch>/failed); tell the dataset's owner.",
	},
	ZIP_UNSAFE: {
		level: "shard",
		severity: "fatal",
		meaning:
			"The zip is dangerous: it has overlapping or duplicate entries, climbing or absolute names, links, or a bomb.",
		todo: "Do not unpack it by hand. Look at the entry that the message names; tell the dataset's owner.",
	},
	JSON_MISSING: {
		level: "shard",
		severity: "fatal",
		meaning: "The shard lacks the JSON with its rows.",
		todo: "Look at the zip (a downloaded one is kept under <scratch>/failed); tell the dataset's owner.",
	},
	JSON_INVALID: {
		level: "shard",
		severity: "fatal",
		meaning:
			"The shard's JSON cannot be used: it is not JSON, has another form than rows, has no rows, is damaged, or is over 64 MiB.",
		todo: "Look at the place that the message names; tell the dataset's owner.",
	},
	REJECT_RATIO_EXCEEDED: {
		level: "shard",
		severity: "fatal",
		meaning: "More of the shard's rows were rejected than --max-reject-ratio allows.",
		todo: "Read the rows in <scratch>/failed; raise --max-reject-ratio if they are acceptable.",
	},
	ROW_SCHEMA: {
		level: "row",
		severity: "reject",
		meaning: "A row of the shard's JSON lacks a field, or has one of the wrong type.",
		todo: UPSTREAM,
	},
	ROW_PATH: {
		level: "row",
		severity: "reject",
		meaning: "The row's image_path is not a path of an image in this shard.",
		todo: UPSTREAM,
	},
	ROW_DUPLICATE: {
		level: "row",
		severity: "reject",
		meaning: "Another row names the same image: either an equal row came first, or the rows contradict each other.",
		todo: UPSTREAM,
	},
	ROW_NOT_IN_METADATA: {
		level: "row",
		severity: "reject",
		meaning: "The split's metadata has no row for this image.",
		todo: UPSTREAM,
	},
	ROW_DIFFERS_FROM_METADATA: {
		level: "row",
		severity: "reject",
		meaning: "The split's metadata disagrees with the row about this image, or contradicts itself.",
		todo: UPSTREAM,
	},
	GROUP_DROPPED: {
		level: "row",
		severity: "reject",
		meaning:
			"The row is good, but another row of its group (its prompt) was rejected, and --on-bad-image is drop-group.",
		todo: "There is nothing to do; --on-bad-image drop-image keeps such rows.",
	},
	IMAGE_MISSING: {
		level: "image",
		severity: "reject",
		meaning: "The shard has no member for the row's image.",
		todo: UPSTREAM,
	},
	IMAGE_EMPTY: { level: "image", severity: "reject", meaning: "The image has zero bytes.", todo: UPSTREAM },
	IMAGE_NOT_WEBP: {
		level: "image",
		severity: "reject",
		meaning: "The image does not begin as RIFF … WEBP, or is shorter than 12 bytes.",
		todo: UPSTREAM,
	},
	IMAGE_NOT_PNG: {
		level: "image",
		severity: "reject",
		meaning: "The image does not begin with the signature of a PNG.",
		todo: UPSTREAM,
	},
	IMAGE_TRUNCATED: {
		level: "image",
		severity: "reject",
		meaning: "The image's header says that it has more bytes than there are.",
		todo: UPSTREAM,
	},
	IMAGE_UNDECODABLE: {
		level: "image",
		severity: "reject",
		meaning: "The image has the right format but cannot be decoded.",
		todo: UPSTREAM,
	},
	IMAGE_TOO_LARGE: {
		level: "image",
		severity: "reject",
		meaning: "The image has over 64,000,000 pixels or over 64 MiB.",
		todo: UPSTREAM,
	},
	IMAGE_ANIMATED: { level: "image", severity: "reject", meaning: "The image is an animation.", todo: UPSTREAM },
	MEMBER_UNREADABLE: {
		level: "image",
		severity: "reject",
		meaning: "The zip's entry is encrypted, is packed with an unknown method, or does not unpack to its size.",
		todo: UPSTREAM,
	},
	MEMBER_CRC_MISMATCH: {
		level: "image",
		severity: "reject",
		meaning: "The entry's bytes do not have the CRC-32 in the zip's directory.",
		todo: UPSTREAM,
	},
	IMAGE_ORPHAN: {
		level: "warn",
		severity: "warn",
		meaning: "No row names this member of the shard.",
		todo: "There is nothing to do; it is not published.",
	},
	METADATA_EXTRA_ROW: {
		level: "warn",
		severity: "warn",
		meaning: "The split's metadata has a row for this shard that is missing from its JSON.",
		todo: "There is nothing to do; it is not published.",
	},
	IMAGE_NOT_LOSSLESS: {
		level: "warn",
		severity: "warn",
		meaning: "The image is a lossy WebP.",
		todo: "There is nothing to do; the image is published.",
	},
	IMAGE_TRAILING_BYTES: {
		level: "warn",
		severity: "warn",
		meaning: "There are further bytes after the end of the image.",
		todo: "There is nothing to do; the image is published unchanged.",
	},
	GROUP_COUNT: {
		level: "warn",
		severity: "warn",
		meaning: "The number of the group's (the prompt's) rows in the JSON is not the one that its rows give.",
		todo: "There is nothing to do; the dataset's own tables have both numbers.",
	},
	PROMPT_CONFLICT: {
		level: "warn",
		severity: "warn",
		meaning: "Rows of one group (one prompt) differ in values that must be the same.",
		todo: "There is nothing to do; the dataset's own tables have the first row's texts.",
	},
	RATING_RANGE: {
		level: "warn",
		severity: "warn",
		meaning: "A rating is outside 1–7.",
		todo: "There is nothing to do; filter by the warnings column if it matters.",
	},
	UNKNOWN_COLUMN: {
		level: "warn",
		severity: "warn",
		meaning: "The rows or the metadata have an unknown column; it is not published.",
		todo: "Check whether the dataset has a new column that is worth publishing.",
	},
} as const satisfies Record<string, FindingText>;

export type FindingCode = keyof typeof FINDINGS;

interface ErrorText {
	/** Exit code of a command that ends with this error. */
	exit: 1 | 2;
	/** Whether the same call can succeed when it is made again later. */
	retry: boolean;
	meaning: string;
	todo: string;
}

/** Errors that are not findings: about the environment, the configuration, the lake. */
export const ERRORS = {
	USAGE: {
		exit: 2,
		retry: false,
		meaning: "A flag, an argument or an environment variable is wrong.",
		todo: "See irlake COMMAND --help.",
	},
	SOURCE_NOT_FOUND: {
		exit: 2,
		retry: false,
		meaning: "The source folder does not exist or holds no shard.",
		todo: "Check --source.",
	},
	SOURCE_UNREADABLE: {
		exit: 1,
		retry: true,
		meaning: "A file of the source could not be read.",
		todo: "Check the disk and the file's permissions.",
	},
	SOURCE_CHANGED: {
		exit: 1,
		retry: true,
		meaning: "A file of the source changed while it was being read.",
		todo: "Let the copy finish, then run again.",
	},
	HUB_NOT_FOUND: {
		exit: 2,
		retry: false,
		meaning: "The Hub knows no such dataset, or it is private.",
		todo: "Check the name in --source; set HF_TOKEN if it is private.",
	},
	HUB_GATED: {
		exit: 2,
		retry: false,
		meaning: "The dataset is gated and the token has no access.",
		todo: "Accept the dataset's terms on its page, then set HF_TOKEN.",
	},
	HUB_TOKEN_INVALID: {
		exit: 2,
		retry: false,
		meaning: "The Hub refuses the token.",
		todo: "Set HF_TOKEN to a valid token, or unset it.",
	},
	HUB_DISABLED: {
		exit: 2,
		retry: false,
		meaning: "The Hub has disabled the dataset.",
		todo: "Mirror from a downloaded copy: --source file:///dir.",
	},
	HUB_REVISION_NOT_FOUND: {
		exit: 2,
		retry: false,
		meaning: "The dataset has no such revision.",
		todo: "Check the part after @ in --source.",
	},
	HUB_ENTRY_NOT_FOUND: {
		exit: 1,
		retry: false,
		meaning: "A file that the Hub listed is gone.",
		todo: "Run again, which makes a new listing.",
	},
	HUB_NOT_THE_HUB: {
		exit: 2,
		retry: true,
		meaning: "Something other than the Hub answered: a proxy, a captive portal, or the host in a wrong HF_ENDPOINT.",
		todo: "Open the address in a browser; check HF_ENDPOINT and HTTPS_PROXY.",
	},
	HUB_NO_HASH: {
		exit: 2,
		retry: false,
		meaning: "The Hub lists a shard without a SHA-256, so the shard cannot be checked.",
		todo: "Mirror from a downloaded copy: --source file:///dir.",
	},
	HUB_RATE_LIMITED: {
		exit: 1,
		retry: true,
		meaning: "The Hub limits requests and asked to wait.",
		todo: "Wait, or set HF_TOKEN for a higher limit; then run again.",
	},
	HUB_UNAVAILABLE: {
		exit: 1,
		retry: true,
		meaning: "The Hub could not be reached, or answered with an error, again and again.",
		todo: "Check the network, then run again: what was downloaded is kept.",
	},
	HUB_REDIRECT_REFUSED: {
		exit: 1,
		retry: false,
		meaning: "The Hub redirected to an address that irlake does not follow: a private one, or one without encryption.",
		todo: "Check HF_ENDPOINT; --allow-private-redirects permits private addresses.",
	},
	HUB_LFS_POINTER: {
		exit: 1,
		retry: true,
		meaning: "The Hub sent the pointer that git stores for a large file, instead of the file.",
		todo: "Run again later. If HF_ENDPOINT names a mirror of the Hub, that mirror lacks the file: use another.",
	},
	HUB_PROXY_FAILED: {
		exit: 1,
		retry: true,
		meaning: "The proxy before the Hub cannot be reached, wants credentials, or refuses the request.",
		todo: "Check HTTPS_PROXY; name hosts that need no proxy in NO_PROXY.",
	},
	LAKE_NOT_FOUND: { exit: 2, retry: false, meaning: "There is no lake at the given path.", todo: "Check --lake." },
	LAKE_NOT_A_LAKE: {
		exit: 2,
		retry: false,
		meaning: "The folder holds other files and is not a lake.",
		todo: "Give --lake an empty or new folder.",
	},
	LAKE_UNSUPPORTED: {
		exit: 2,
		retry: false,
		meaning: "The kind of lake, or its format, is not supported by this release.",
		todo: "Give --lake a folder or s3://bucket/prefix; upgrade irlake if the lake is newer.",
	},
	LAKE_UNWRITABLE: {
		exit: 2,
		retry: false,
		meaning: "The lake refuses access.",
		todo: "Check the folder's owner and permissions.",
	},
	LAKE_UNAVAILABLE: {
		exit: 1,
		retry: true,
		meaning: "The lake's store could not be reached, or answered with an error, again and again.",
		todo: "Check the network and AWS_ENDPOINT_URL_S3, then run again: finished shards are kept.",
	},
	LAKE_DAMAGED: {
		exit: 1,
		retry: false,
		meaning: "A record of the lake is missing or cannot be read.",
		todo: "Run irlake verify; restore the file that the message names, or mirror into a new lake.",
	},
	LAKE_CONFLICT: {
		exit: 1,
		retry: true,
		meaning: "Other publishers were faster five times in a row.",
		todo: "Run again; let fewer mirrors write to one lake.",
	},
	SETTINGS_DIFFER: {
		exit: 2,
		retry: false,
		meaning: "The settings asked for are not the lake's.",
		todo: "Leave the flags out to use the lake's own, or add --new-settings.",
	},
	PRUNE_REFUSED: {
		exit: 1,
		retry: false,
		meaning: "--prune drops nothing when a shard failed.",
		todo: "Fix the failed shard, then run with --prune again.",
	},
	SNAPSHOT_NOT_FOUND: {
		exit: 2,
		retry: false,
		meaning: "The lake has no such snapshot.",
		todo: "See irlake status for the numbers there are.",
	},
	SNAPSHOT_VACUUMED: {
		exit: 2,
		retry: false,
		meaning: "irlake vacuum has deleted files of this snapshot.",
		todo: "See irlake status for the snapshots that are whole. A mirror of the commit (--source hf://…@commit) brings its content back.",
	},
	LAKE_SWEPT: {
		exit: 1,
		retry: false,
		meaning:
			"Files that this run was about to publish are gone, most likely because of irlake vacuum; nothing was published.",
		todo: "Run again, which makes the missing files again. Give vacuum a --grace longer than a mirror takes.",
	},
	SHARD_FAILED: {
		exit: 1,
		retry: true,
		meaning: "One or more shards failed; nothing was published.",
		todo: "See each shard's code; --on-shard-failure skip publishes the others.",
	},
	OUT_NOT_EMPTY: {
		exit: 2,
		retry: false,
		meaning: "The folder to export to holds files that are not from an export.",
		todo: "Give --out an empty or new folder.",
	},
	OUT_UNWRITABLE: {
		exit: 1,
		retry: false,
		meaning: "The folder to export to cannot be written to.",
		todo: "Check --out, its owner and permissions, and its disk; then run again.",
	},
	OUT_BUSY: {
		exit: 1,
		retry: true,
		meaning: "Another process is exporting into the same folder.",
		todo: "Wait for it to end, or give another --out.",
	},
	EXPORT_DIFFERS: {
		exit: 2,
		retry: false,
		meaning: "The folder holds an export of another format, snapshot, choice of shards or options.",
		todo: "Give another --out, or --overwrite to replace the export.",
	},
	NO_SPACE: {
		exit: 1,
		retry: true,
		meaning: "The disk is full, or too small for the next shard.",
		todo: "Free space, or choose another --scratch or --lake; then run again.",
	},
	TAKEN_OVER: {
		exit: 1,
		retry: true,
		meaning:
			"This process stood still for over a minute, so another one took it for dead and took over its temporary files.",
		todo: "Run it again: nothing is lost. Do not suspend a machine while it works on a shared folder.",
	},
	CHECKS_FAILED: {
		exit: 1,
		retry: false,
		meaning: "irlake doctor found something that would make a mirror fail.",
		todo: "Fix what each failed check names, then run irlake doctor again.",
	},
	CHECK_TIMED_OUT: {
		exit: 1,
		retry: true,
		meaning: "A check of irlake doctor got no answer in time.",
		todo: "Check the network, network file systems, HTTPS_PROXY and HF_ENDPOINT.",
	},
	QUEUE_UNAVAILABLE: {
		exit: 1,
		retry: true,
		meaning: "Redis, which holds the queue, cannot be reached.",
		todo: "Start Redis (make services) and check REDIS_URL; irlake mirror needs no queue.",
	},
	QUEUE_REFUSED: {
		exit: 2,
		retry: false,
		meaning: "Redis refuses the user or the password.",
		todo: "Check the user and password in REDIS_URL.",
	},
	QUEUE_WIPED: {
		exit: 1,
		retry: true,
		meaning: "The queue lost the run twice.",
		todo: "Make sure that Redis keeps its data and evicts nothing (irlake doctor), then run again: finished shards are kept.",
	},
	RUN_IN_PROGRESS: {
		exit: 2,
		retry: false,
		meaning: "A run with other options is in progress for the same lake.",
		todo: "Wait for it to end (irlake status), or give the same options to join it.",
	},
	RUN_INCOMPLETE: {
		exit: 1,
		retry: true,
		meaning: "A run was about to publish, but a shard's receipt is not in the lake.",
		todo: "Run again, which makes the missing shards again.",
	},
	JOB_INVALID: {
		exit: 1,
		retry: false,
		meaning: "A job in the queue does not have the form that this release writes.",
		todo: "Make sure that nothing else writes to the queue; give it a prefix of its own (IRLAKE_QUEUE_PREFIX).",
	},
	WORKER_LOST: {
		exit: 1,
		retry: true,
		meaning: "The workers that took a shard died again and again.",
		todo: "Look at the workers' memory and logs; then run again.",
	},
	SCHEDULE_NOT_FOUND: {
		exit: 2,
		retry: false,
		meaning: "There is no schedule with this name.",
		todo: "See irlake schedule list.",
	},
	IMAGE_HOST_FAILED: {
		exit: 1,
		retry: true,
		meaning: "The process that decodes images could not be started.",
		todo: "Check memory and process limits; LOG_LEVEL=debug shows why.",
	},
	INTERNAL: {
		exit: 1,
		retry: false,
		meaning: "A defect in irlake itself.",
		todo: "Run with LOG_LEVEL=debug and report what it prints.",
	},
} as const satisfies Record<string, ErrorText>;

export type ErrorCode = keyof typeof ERRORS | FindingCode;

/** Exit code, retry and hint of any code, finding or error. */
export function aboutCode(code: ErrorCode): { exit: 1 | 2; retry: boolean; todo: string } {
	if (code in ERRORS) return ERRORS[code as keyof typeof ERRORS];
	return { exit: 1, retry: false, todo: FINDINGS[code as FindingCode].todo };
}
