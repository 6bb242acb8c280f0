import { LakeError, systemCode } from "../../../../schemas/errors.js";

/** Errors of S3 servers and of the network, as far as a lake tells them apart. */

/** The fields of the SDK's errors that are read; others may hold keys and signatures. */
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

/** There is no such key; a missing bucket does not count. */
export function isAbsent(error: unknown): boolean {
	return status(error) === 404 && nameOf(error) !== "NoSuchBucket";
}

/** The condition of a conditional write did not hold. */
export function isRefusedCondition(error: unknown): boolean {
	return status(error) === 412;
}

/** The server does not support conditional writes, or not this one. */
export function isUnknownCondition(error: unknown): boolean {
	return status(error) === 501 || (status(error) === 400 && !isTransient(error));
}

/** Errors other than 5xx after which the next attempt may succeed. */
const TRANSIENT = new Set([
	"ConditionalRequestConflict",
	"OperationAborted",
	"RequestTimeout",
	"SlowDown",
	"Throttling",
	"ThrottlingException",
	"TooManyRequests",
	// The bytes were damaged in transit.
	"BadDigest",
	"XAmzContentChecksumMismatch",
	"XAmzContentSHA256Mismatch",
	"IncompleteBody",
]);

/** Whether the same request can succeed later. An error without a response is the network's. */
export function isTransient(error: unknown): boolean {
	if (error instanceof LakeError) return error.retry;
	if (isFileError(error)) return false;
	if (TRANSIENT.has(nameOf(error))) return true;
	const code = status(error);
	if (code === 408 || code === 409 || code === 429) return true;
	if (code !== null && code >= 300) return code >= 500 && code !== 501 && code !== 507;
	if (nameOf(error) === "CredentialsProviderError") return false;
	// A 200 whose body broke off or is not XML.
	if (code !== null) return true;
	const system = systemCode(error);
	return system !== null || NETWORK.has(nameOf(error));
}

/** An error about a local file of the scratch folder, which its reader turns into a LakeError. */
function isFileError(error: unknown): error is Error {
	return systemCode(error) !== null && typeof (error as { path?: unknown }).path === "string";
}

/** Names of errors without a code: a time-out, a stream that broke off, a response with a wrong checksum. */
const NETWORK = new Set(["TimeoutError", "AbortError", "NetworkingError", "ChecksumMismatch"]);

/** Where an error happened. */
export interface Place {
	/** `s3://bucket/prefix` */
	store: string;
	bucket: string;
	/** Null at Amazon. */
	endpoint: string | null;
}

/**
 * The LakeError for an error of the SDK; LakeErrors and errors of local files are returned as they are. The SDK's error
 * is never its cause, since it carries keys and signatures.
 */
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
		return new LakeError(
			"LAKE_UNWRITABLE",
			`The bucket ${place.bucket}${at} refuses access to ${key} (${name || code}).`,
			{
				...details,
				hint:
					HINTS[name] ?? "Check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID …) and their rights: see docs/s3.md.",
			},
		);
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
		return new LakeError("NO_SPACE", `The bucket ${place.bucket}${at} has no space left for ${key}.`, details);
	}
	if (isTransient(error)) {
		const why = name === "Error" || name === "" ? (systemCode(error) ?? code ?? "no answer") : name;
		return new LakeError("LAKE_UNAVAILABLE", `The bucket ${place.bucket}${at} failed at ${key} (${why}).`, details);
	}
	if (code !== null) {
		return new LakeError("LAKE_UNWRITABLE", `The bucket ${place.bucket}${at} refuses ${key} (${name}, ${code}).`, {
			...details,
			hint: "LOG_LEVEL=debug shows what the server said; see docs/s3.md.",
		});
	}
	return new LakeError("INTERNAL", `An unexpected error happened at ${key}.`, { ...details, cause: error });
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
