import { LakeError, systemCode } from "../../../../schemas/errors.js";

/** What S3 servers and the network between answer, as far as a lake must tell it apart. */

/** What the SDK's errors have; a server's own fields (keys, signatures) are never read. */
interface Answer {
	name?: unknown;
	$metadata?: { httpStatusCode?: number; requestId?: string };
}

function status(error: unknown): number | null {
	return (error as Answer | null)?.$metadata?.httpStatusCode ?? null;
}

function nameOf(error: unknown): string {
	const name = (error as Answer | null)?.name;
	return typeof name === "string" ? name : "";
}

/** There is no such key. A bucket that does not exist is another thing. */
export function isAbsent(error: unknown): boolean {
	return status(error) === 404 && nameOf(error) !== "NoSuchBucket";
}

/** The condition of a conditional write did not hold. */
export function isRefusedCondition(error: unknown): boolean {
	return status(error) === 412;
}

/** The server does not know conditional writes, or not this one. */
export function isUnknownCondition(error: unknown): boolean {
	return status(error) === 501 || (status(error) === 400 && !isTransient(error));
}

/** Answers that say nothing about the next attempt, though they are no server errors. */
const PASSING = new Set([
	"ConditionalRequestConflict",
	"OperationAborted",
	"RequestTimeout",
	"SlowDown",
	"Throttling",
	"ThrottlingException",
	"TooManyRequests",
	// The bytes were damaged on their way.
	"BadDigest",
	"XAmzContentChecksumMismatch",
	"XAmzContentSHA256Mismatch",
	"IncompleteBody",
]);

/** Whether the same request can succeed later. What has no answer at all is the network's doing. */
export function isTransient(error: unknown): boolean {
	if (error instanceof LakeError) return error.retry;
	if (isFileError(error)) return false;
	if (PASSING.has(nameOf(error))) return true;
	const code = status(error);
	if (code === 408 || code === 409 || code === 429) return true;
	if (code !== null && code >= 300) return code >= 500 && code !== 501 && code !== 507;
	if (nameOf(error) === "CredentialsProviderError") return false;
	// An answer of 200 whose body broke off or is no XML.
	if (code !== null) return true;
	const system = systemCode(error);
	return system !== null || NETWORK.has(nameOf(error));
}

/** Of this machine's own files: the scratch folder's, told as such by who reads it. */
function isFileError(error: unknown): error is Error {
	return systemCode(error) !== null && typeof (error as { path?: unknown }).path === "string";
}

/** Names of errors that have no code: a time-out, a stream that broke off, a checksum that an answer did not meet. */
const NETWORK = new Set(["TimeoutError", "AbortError", "NetworkingError", "ChecksumMismatch"]);

/** Where an error happened. */
export interface Place {
	/** `s3://bucket/prefix` */
	store: string;
	bucket: string;
	/** Null at Amazon. */
	endpoint: string | null;
}

/** What an error comes to, in our own words; LakeErrors and errors of local files stay. Never holds the SDK's error: those carry keys and signatures. */
export function storeError(error: unknown, place: Place, path: string): Error {
	if (error instanceof LakeError || isFileError(error)) return error;
	const at = place.endpoint === null ? "" : ` at ${place.endpoint}`;
	const key = path === "" ? place.store : `${place.store}/${path}`;
	const details = { path: key, cause: describe(error) };
	const name = nameOf(error);
	const code = status(error);
	if (name === "NoSuchBucket") {
		const hint = "Make the bucket first, or check --lake and AWS_ENDPOINT_URL_S3.";
		return new LakeError("LAKE_NOT_FOUND", `There is no bucket ${place.bucket}${at}.`, { ...details, hint });
	}
	if (name === "CredentialsProviderError") {
		const hint = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; see docs/s3.md.";
		return new LakeError("LAKE_UNWRITABLE", `No credentials were found for ${place.store}.`, { ...details, hint });
	}
	if (code === 401 || code === 403) {
		return new LakeError("LAKE_UNWRITABLE", `${place.bucket}${at} refuses access to ${key} (${name || code}).`, {
			...details,
			hint: HINTS[name] ?? "Check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID …) and their rights: see docs/s3.md.",
		});
	}
	if (code === 407) {
		const hint = "Give them in HTTPS_PROXY: http://user:password@host:port, with special characters as %xx.";
		return new LakeError("LAKE_UNWRITABLE", `The proxy before ${place.store} wants credentials.`, { ...details, hint });
	}
	if (code === 301 || code === 307) {
		const hint = "Set AWS_REGION to the bucket's region.";
		return new LakeError("LAKE_UNWRITABLE", `The bucket ${place.bucket} is in another region.`, { ...details, hint });
	}
	if (code === 507 || name === "XMinioStorageFull" || name === "QuotaExceeded") {
		return new LakeError("NO_SPACE", `${place.bucket}${at} has no space left for ${key}.`, details);
	}
	if (isTransient(error)) {
		const why = name === "Error" || name === "" ? (systemCode(error) ?? code ?? "no answer") : name;
		return new LakeError("LAKE_UNAVAILABLE", `${place.bucket}${at} failed at ${key} (${why}).`, details);
	}
	if (code !== null) {
		return new LakeError("LAKE_UNWRITABLE", `${place.bucket}${at} refuses ${key} (${name}, ${code}).`, {
			...details,
			hint: "LOG_LEVEL=debug shows what the server said; see docs/s3.md.",
		});
	}
	return new LakeError("INTERNAL", `${key} could not be handled.`, { ...details, cause: error });
}

const HINTS: Record<string, string> = {
	InvalidAccessKeyId: "The server does not know this access key: check AWS_ACCESS_KEY_ID or AWS_PROFILE.",
	SignatureDoesNotMatch: "The secret key is wrong: check AWS_SECRET_ACCESS_KEY or AWS_PROFILE.",
	ExpiredToken: "The session's token has expired: log in again.",
	RequestTimeTooSkewed: "This machine's clock is wrong: set it.",
};

/** For the debug log: name, status and the server's request id. */
function describe(error: unknown): string {
	const { $metadata } = error as Answer;
	const parts = [nameOf(error), systemCode(error), $metadata?.httpStatusCode, $metadata?.requestId];
	return parts.filter((part) => part !== undefined && part !== null && part !== "").join(" ");
}
