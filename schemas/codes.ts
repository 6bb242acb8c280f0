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

const AGAIN = "Run the mirror again; if it comes back, the source itself is broken: tell its owner.";
const UPSTREAM = "Nothing to do here: the row is in quarantine. Tell the dataset's owner if it is new.";

/** Findings: what validation can notice about the source. */
export const FINDINGS = {
	SHARD_MISSING: {
		level: "run",
		severity: "fatal",
		meaning: "A shard that was asked for is not in the source.",
		todo: "Check --source, --subset and --shards; choose a revision that holds the shard.",
	},
	METADATA_MISSING: {
		level: "run",
		severity: "fatal",
		meaning: "A split's metadata parquet is absent, unreadable, or has another hash than the source lists.",
		todo: AGAIN,
	},
	METADATA_SCHEMA_DRIFT: {
		level: "run",
		severity: "fatal",
		meaning: "A column of the metadata parquet is missing, renamed, or of another type than expected.",
		todo: "Mirror an older revision, or bring the dataset's definition up to date.",
	},
	SHARD_HASH_MISMATCH: {
		level: "shard",
		severity: "fatal",
		meaning: "The shard's bytes do not have the SHA-256 that the source lists, twice over.",
		todo: AGAIN,
	},
	ZIP_CORRUPT: {
		level: "shard",
		severity: "fatal",
		meaning: "The zip's directory cannot be read, or holds more entries than its end record says.",
		todo: "Look at the zip (a downloaded one is kept under <scratch>/failed); tell the dataset's owner.",
	},
	ZIP_UNSAFE: {
		level: "shard",
		severity: "fatal",
		meaning:
			"The zip holds what an honest one does not: overlapping or duplicate entries, climbing or absolute names, links, bombs.",
		todo: "Do not unpack it by hand. Look at the entry named; tell the dataset's owner.",
	},
	JSON_MISSING: {
		level: "shard",
		severity: "fatal",
		meaning: "The shard has no JSON of its rows.",
		todo: "Look at the zip (a downloaded one is kept under <scratch>/failed); tell the dataset's owner.",
	},
	JSON_INVALID: {
		level: "shard",
		severity: "fatal",
		meaning: "The shard's JSON cannot be read: not JSON, not in the form of rows, no rows, damaged, or over 64 MiB.",
		todo: "Look at the place named; tell the dataset's owner.",
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
		meaning: "The row's image_path is not a path that this shard's images have.",
		todo: UPSTREAM,
	},
	ROW_DUPLICATE: {
		level: "row",
		severity: "reject",
		meaning: "Another row names the same image: an equal one came first, or they contradict each other.",
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
		meaning: "The split's metadata says otherwise about this image, or contradicts itself.",
		todo: UPSTREAM,
	},
	GROUP_DROPPED: {
		level: "row",
		severity: "reject",
		meaning:
			"The row is good, but another of its group (its prompt) was rejected, and --on-bad-image drop-group was asked for.",
		todo: "Nothing to do; drop-image keeps such rows.",
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
		meaning: "The image's own header claims more bytes than there are.",
		todo: UPSTREAM,
	},
	IMAGE_UNDECODABLE: {
		level: "image",
		severity: "reject",
		meaning: "The image is in the right format, and cannot be decoded.",
		todo: UPSTREAM,
	},
	IMAGE_TOO_LARGE: {
		level: "image",
		severity: "reject",
		meaning: "The image has over 64,000,000 pixels or 64 MiB.",
		todo: UPSTREAM,
	},
	IMAGE_ANIMATED: { level: "image", severity: "reject", meaning: "The image is an animation.", todo: UPSTREAM },
	MEMBER_UNREADABLE: {
		level: "image",
		severity: "reject",
		meaning: "The zip's entry is encrypted, packed by an unknown method, or does not unpack to its size.",
		todo: UPSTREAM,
	},
	MEMBER_CRC_MISMATCH: {
		level: "image",
		severity: "reject",
		meaning: "The entry's bytes do not have the CRC-32 that the zip's directory gives.",
		todo: UPSTREAM,
	},
	IMAGE_ORPHAN: {
		level: "warn",
		severity: "warn",
		meaning: "A member of the shard whose file name no row names.",
		todo: "Nothing to do; it is not published.",
	},
	METADATA_EXTRA_ROW: {
		level: "warn",
		severity: "warn",
		meaning: "The split's metadata has a row for this shard that its JSON lacks.",
		todo: "Nothing to do; it is not published.",
	},
	IMAGE_NOT_LOSSLESS: {
		level: "warn",
		severity: "warn",
		meaning: "The image is a lossy WebP.",
		todo: "Nothing to do; it is published.",
	},
	IMAGE_TRAILING_BYTES: {
		level: "warn",
		severity: "warn",
		meaning: "Bytes follow the image's own end.",
		todo: "Nothing to do; it is published as it is.",
	},
	GROUP_COUNT: {
		level: "warn",
		severity: "warn",
		meaning: "The group (the prompt) has another number of rows in the JSON than its rows say.",
		todo: "Nothing to do; the dataset's own tables tell both numbers.",
	},
	PROMPT_CONFLICT: {
		level: "warn",
		severity: "warn",
		meaning: "Rows of one group (one prompt) differ in what they must have in common.",
		todo: "Nothing to do; the first row's texts stand in the dataset's own tables.",
	},
	RATING_RANGE: {
		level: "warn",
		severity: "warn",
		meaning: "A rating lies outside 1–7.",
		todo: "Nothing to do; filter by the warnings column if it matters.",
	},
	UNKNOWN_COLUMN: {
		level: "warn",
		severity: "warn",
		meaning: "The rows or the metadata have a column that is not known; it is not published.",
		todo: "Look whether the dataset has grown a column worth having.",
	},
} as const satisfies Record<string, FindingText>;

export type FindingCode = keyof typeof FINDINGS;

interface ErrorText {
	/** Exit code of a command that this error ends. */
	exit: 1 | 2;
	/** Whether the same call, made again later, can succeed. */
	retry: boolean;
	meaning: string;
	todo: string;
}

/** Errors that are no findings: the surroundings, the configuration, the lake. */
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
		todo: "Run again: the listing is made anew.",
	},
	HUB_NOT_THE_HUB: {
		exit: 2,
		retry: true,
		meaning: "What answered is not the Hub: a proxy, a captive portal, or a wrong HF_ENDPOINT.",
		todo: "Open the address in a browser; check HF_ENDPOINT and HTTPS_PROXY.",
	},
	HUB_NO_HASH: {
		exit: 2,
		retry: false,
		meaning: "The Hub lists a shard without a SHA-256, so it could not be checked.",
		todo: "Mirror from a downloaded copy: --source file:///dir.",
	},
	HUB_RATE_LIMITED: {
		exit: 1,
		retry: true,
		meaning: "The Hub asks to wait.",
		todo: "Wait, or set HF_TOKEN for a higher limit; then run again.",
	},
	HUB_UNAVAILABLE: {
		exit: 1,
		retry: true,
		meaning: "The Hub could not be reached, or answered with an error, again and again.",
		todo: "Check the network, then run again: what is downloaded is kept.",
	},
	HUB_REDIRECT_REFUSED: {
		exit: 1,
		retry: false,
		meaning: "The Hub redirected to an address that is not followed: a private one, or one without encryption.",
		todo: "Check HF_ENDPOINT; --allow-private-redirects follows to private addresses.",
	},
	HUB_LFS_POINTER: {
		exit: 1,
		retry: true,
		meaning: "In place of a large file came the pointer that git stores for it.",
		todo: "Run again later; if HF_ENDPOINT names a mirror of the Hub, that one lacks the file: use another.",
	},
	HUB_PROXY_FAILED: {
		exit: 1,
		retry: true,
		meaning: "The proxy on the way to the Hub cannot be reached, wants credentials, or refuses.",
		todo: "Check HTTPS_PROXY; name in NO_PROXY what is to be reached without it.",
	},
	LAKE_NOT_FOUND: { exit: 2, retry: false, meaning: "There is no lake at the path given.", todo: "Check --lake." },
	LAKE_NOT_A_LAKE: {
		exit: 2,
		retry: false,
		meaning: "The folder holds other files and is no lake.",
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
		todo: "Run irlake verify; restore the file named, or mirror into a new lake.",
	},
	LAKE_CONFLICT: {
		exit: 1,
		retry: true,
		meaning: "Other publishers were faster, five times in a row.",
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
		todo: "Mend the failed shard, then run with --prune again.",
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
		todo: "irlake status shows which snapshots are whole; a mirror of the commit (--source hf://…@commit) brings its content back.",
	},
	LAKE_SWEPT: {
		exit: 1,
		retry: false,
		meaning: "Files that this run was about to publish are gone, by irlake vacuum most likely; nothing was published.",
		todo: "Run again: what is missing is done anew. Give vacuum a --grace longer than a mirror takes.",
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
		meaning: "The folder to export to holds files that no export put there.",
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
		meaning: "Another process exports into the same folder.",
		todo: "Wait for it to end, or give another --out.",
	},
	EXPORT_DIFFERS: {
		exit: 2,
		retry: false,
		meaning: "The folder holds an export of another format, snapshot, choice of shards or options.",
		todo: "Give another --out, or --overwrite to replace it.",
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
		meaning: "This process stood still for over a minute, and another one took its temporary files for a dead one's.",
		todo: "Run it again: nothing is lost. Let no machine that works on a shared folder be suspended meanwhile.",
	},
	CHECKS_FAILED: {
		exit: 1,
		retry: false,
		meaning: "irlake doctor found something that a mirror would fail on.",
		todo: "Mend what each failed check names, then run irlake doctor again.",
	},
	CHECK_TIMED_OUT: {
		exit: 1,
		retry: true,
		meaning: "A check of irlake doctor had no answer in time.",
		todo: "Check the network and network file systems, HTTPS_PROXY and HF_ENDPOINT.",
	},
	QUEUE_UNAVAILABLE: {
		exit: 1,
		retry: true,
		meaning: "Redis, which holds the queue, cannot be reached.",
		todo: "Start Redis (make services), check REDIS_URL; irlake mirror needs no queue.",
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
		meaning: "The queue lost the run, twice over.",
		todo: "See that Redis keeps its data and evicts nothing (irlake doctor), then run again: finished shards are kept.",
	},
	RUN_IN_PROGRESS: {
		exit: 2,
		retry: false,
		meaning: "A run with other options is under way for the same lake.",
		todo: "Wait for its end (irlake status), or give the same options to join it.",
	},
	RUN_INCOMPLETE: {
		exit: 1,
		retry: true,
		meaning: "A run came to its publish, but a shard's receipt is not in the lake.",
		todo: "Run again: what is missing is done anew.",
	},
	JOB_INVALID: {
		exit: 1,
		retry: false,
		meaning: "A job of the queue is not what this release puts there.",
		todo: "See that nothing else writes to the queue; give it a prefix of its own (IRLAKE_QUEUE_PREFIX).",
	},
	WORKER_LOST: {
		exit: 1,
		retry: true,
		meaning: "The workers that took a shard died, again and again.",
		todo: "Look at the workers' memory and logs; then run again.",
	},
	SCHEDULE_NOT_FOUND: {
		exit: 2,
		retry: false,
		meaning: "There is no schedule of this name.",
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
