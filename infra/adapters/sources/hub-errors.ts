import { LakeError, systemCode } from "../../../schemas/errors.js";
import { wantsCredentials } from "./proxy.js";

/** What the Hub's answers and the network's failures mean, as LakeErrors. */

/** Of Node and OpenSSL, about certificates. */
const CERTIFICATE = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;
export type Headers = Record<string, string | string[] | undefined>;

/** What a request is about; for messages. */
export interface Subject {
	repo: string;
	revision: string;
	/** Path of the file asked for; null where the request is about the dataset as a whole. */
	file: string | null;
}

export function header(headers: Headers, name: string): string | null {
	const value = headers[name];
	return Array.isArray(value) ? value.join(", ") : (value ?? null);
}

/** Seconds that a refusal asks to wait, or null: `RateLimit: "…";r=0;t=…` (draft-ietf-httpapi-ratelimit-headers-09), else `Retry-After`. */
export function waitSeconds(headers: Headers): number | null {
	let wait: number | null = null;
	for (const item of (header(headers, "ratelimit") ?? "").split(",")) {
		const [, remaining] = /;\s*r=(\d+)/.exec(item) ?? [];
		const [, reset] = /;\s*t=(\d+)/.exec(item) ?? [];
		// One second more: the window's end is told in whole seconds.
		if (Number(remaining) === 0 && reset !== undefined) wait = Math.max(wait ?? 0, Number(reset) + 1);
	}
	const after = header(headers, "retry-after")?.trim();
	if (wait !== null || !after) return wait;
	if (/^\d+$/.test(after)) return Number(after);
	// Against the answer's own date, so that a wrong clock on this machine changes nothing.
	const seconds = (Date.parse(after) - Date.parse(header(headers, "date") ?? new Date().toUTCString())) / 1000;
	return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

export function named(subject: Subject): string {
	const dataset = `dataset ${subject.repo} at ${subject.revision}`;
	return subject.file === null ? dataset : `${subject.file} of ${dataset}`;
}

export function notTheHub(endpoint: URL, subject: Subject, why: string, details = {}): LakeError {
	const path = subject.file === null ? {} : { path: subject.file };
	const message = `What answered at ${endpoint.host} about ${named(subject)} is not the Hub: ${why}.`;
	return new LakeError("HUB_NOT_THE_HUB", message, { ...path, ...details });
}

/** An answer that another attempt may better. */
export function unavailable(endpoint: URL, subject: Subject, why: string, details = {}): LakeError {
	const path = subject.file === null ? {} : { path: subject.file };
	return new LakeError("HUB_UNAVAILABLE", `The Hub at ${endpoint.host} failed on ${named(subject)}: ${why}.`, {
		...path,
		...details,
	});
}

/** As much of an answer as its error is made from. */
export interface Refusal {
	status: number;
	headers: Headers;
	/** Whether another host than the endpoint gave it, and which host. */
	elsewhere: boolean;
	host: string;
}

/** The error of an answer with a status of 400 or more, told apart as `hf_raise_for_status` of huggingface_hub does. */
export function refusal(answer: Refusal, subject: Subject, endpoint: URL, hasToken: boolean): LakeError {
	const { status, headers } = answer;
	const id = header(headers, "x-request-id") ?? header(headers, "x-amzn-trace-id") ?? header(headers, "x-amz-cf-id");
	const details = {
		...(subject.file === null ? {} : { path: subject.file }),
		...(id === null ? {} : { cause: new Error(`status ${status}, request ${id.slice(0, 100)}`) }),
	};
	const wait = waitSeconds(headers);
	const waiting = { ...details, ...(wait === null ? {} : { waitSeconds: wait }) };
	if (status === 429) {
		const long = wait === null ? "a while" : `${Math.ceil(wait)} s`;
		const who = answer.elsewhere ? `The Hub's file store ${answer.host}` : `The Hub at ${endpoint.host}`;
		return new LakeError("HUB_RATE_LIMITED", `${who} asks to wait ${long}.`, waiting);
	}
	if (status === 407) return wantsCredentials(`The proxy on the way to ${answer.host}`);
	const who = answer.elsewhere ? `its file store ${answer.host} answered ${status}` : `status ${status}`;
	if (status === 408 || status >= 500 || answer.elsewhere) return unavailable(endpoint, subject, who, waiting);
	return denied(answer, subject, endpoint, hasToken, details);
}

function denied(answer: Refusal, subject: Subject, endpoint: URL, hasToken: boolean, details: object): LakeError {
	const { status, headers } = answer;
	const { repo, revision, file } = subject;
	const code = header(headers, "x-error-code");
	// These two texts are the protocol's only sign of what they say; huggingface_hub compares them too.
	const said = header(headers, "x-error-message");
	const at = `The Hub at ${endpoint.host}`;
	const page = `${endpoint.origin}/datasets/${repo}`;
	if (said === "Access to this resource is disabled.")
		return new LakeError("HUB_DISABLED", `${at} has disabled dataset ${repo}.`, details);
	if (code === "GatedRepo") {
		const hint = hasToken
			? `Accept the terms at ${page} with the account that the token belongs to.`
			: `Accept the terms at ${page}, then set HF_TOKEN.`;
		return new LakeError("HUB_GATED", `Dataset ${repo} at ${endpoint.host} is gated, and access is not granted.`, {
			...details,
			hint,
		});
	}
	if (code === "RevisionNotFound")
		return new LakeError(
			"HUB_REVISION_NOT_FOUND",
			`Dataset ${repo} at ${endpoint.host} has no revision ${revision}.`,
			details,
		);
	if (code === "EntryNotFound" && file !== null)
		return new LakeError(
			"HUB_ENTRY_NOT_FOUND",
			`${at} lists ${file} in ${repo} at ${revision}, but lacks it.`,
			details,
		);
	if (status === 401 && said === "Invalid credentials in Authorization header")
		return new LakeError("HUB_TOKEN_INVALID", `${at} refuses the token.`, details);
	if (code === "RepoNotFound" || status === 401)
		return new LakeError(
			"HUB_NOT_FOUND",
			`${at} has no dataset ${repo} that ${hasToken ? "this token" : "everybody"} may see.`,
			{
				...details,
				...(hasToken ? { hint: "Check the name in --source, and that the token's account has access." } : {}),
			},
		);
	if (isHtml(headers)) {
		return notTheHub(endpoint, subject, `it answered ${status} and no error code`, { retry: false });
	}
	if (status === 403)
		return new LakeError("HUB_GATED", `${at} refuses access to dataset ${repo}.`, {
			...details,
			hint: `Look at ${page}; set HF_TOKEN to a token that may read it.`,
		});
	if (status === 404 || status === 410) {
		if (file === null) return new LakeError("HUB_NOT_FOUND", `${at} has no dataset ${repo} at ${revision}.`, details);
		return new LakeError("HUB_ENTRY_NOT_FOUND", `${at} lists ${file} in ${repo}, but lacks it.`, details);
	}
	return unavailable(endpoint, subject, `status ${status}`, { ...details, retry: false });
}

export function isHtml(headers: Headers): boolean {
	return /^\s*text\/html\b/i.test(header(headers, "content-type") ?? "");
}

/**
 * What a failed connection means. `host` is the one that was spoken to. Errors that are no system's are given back as
 * they are.
 */
export function connectionError(error: unknown, endpoint: URL, subject: Subject, host: string): unknown {
	const code = systemCode(error);
	if (error instanceof LakeError || code === null) return error;
	const where = host === endpoint.host ? "" : ` to ${host}`;
	const why = `the connection${where} failed (${code})`;
	if (!CERTIFICATE.test(code)) return unavailable(endpoint, subject, why, { cause: error });
	return unavailable(endpoint, subject, why, {
		cause: error,
		retry: false,
		hint: "Where a proxy or a mirror has a certificate of its own, name its authority's file in NODE_EXTRA_CA_CERTS.",
	});
}
