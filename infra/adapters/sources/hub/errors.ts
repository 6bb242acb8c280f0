import type { ErrorCode } from "../../../../schemas/codes.js";
import { LakeError, systemCode } from "../../../../schemas/errors.js";
import { wantsCredentials } from "../proxy.js";
import { type Headers, header, isHtml, waitSeconds } from "./headers.js";

/** LakeErrors for the Hub's error responses and for network failures. */

/** Certificate errors of Node and OpenSSL. */
const CERTIFICATE = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** What a request is about; for messages. */
export interface Subject {
	repo: string;
	revision: string;
	/** Path of the file asked for; null where the request is about the dataset as a whole. */
	file: string | null;
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

/** The error for a response that another attempt may improve on. */
export function unavailable(endpoint: URL, subject: Subject, why: string, details = {}): LakeError {
	const path = subject.file === null ? {} : { path: subject.file };
	return new LakeError("HUB_UNAVAILABLE", `The Hub at ${endpoint.host} failed on ${named(subject)}: ${why}.`, {
		...path,
		...details,
	});
}

/** What an error is made from. */
interface Refusal {
	status: number;
	headers: Headers;
	/** Whether it came from another host than the endpoint's. */
	elsewhere: boolean;
	/** The host that it came from. */
	host: string;
}

/** The error for a response with status 400 or above, by the rules of `hf_raise_for_status` in huggingface_hub. */
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
	const known = byErrorCode(answer, subject, endpoint, hasToken);
	if (known === null && isHtml(headers)) {
		return notTheHub(endpoint, subject, `it answered ${status} and no error code`, { ...details, retry: false });
	}
	const denial = known ?? byStatus(status, subject, endpoint);
	if (denial === null) return unavailable(endpoint, subject, `status ${status}`, { ...details, retry: false });
	const { code, message, hint } = denial;
	return new LakeError(code, message, { ...details, ...(hint === undefined ? {} : { hint }) });
}

interface Denial {
	code: ErrorCode;
	message: string;
	hint?: string;
}

/** What the Hub's own error code or text says; null where it gave none that is known. */
function byErrorCode(answer: Refusal, subject: Subject, endpoint: URL, hasToken: boolean): Denial | null {
	const { repo, revision, file } = subject;
	const code = header(answer.headers, "x-error-code");
	// These two texts are the protocol's only sign of their cases; huggingface_hub compares them, too.
	const said = header(answer.headers, "x-error-message");
	const at = `The Hub at ${endpoint.host}`;
	if (said === "Access to this resource is disabled.") {
		return { code: "HUB_DISABLED", message: `${at} has disabled dataset ${repo}.` };
	}
	if (code === "GatedRepo") {
		const page = datasetPage(endpoint, repo);
		const hint = hasToken
			? `Accept the terms at ${page} with the account that the token belongs to.`
			: `Accept the terms at ${page}, then set HF_TOKEN.`;
		const message = `Dataset ${repo} at ${endpoint.host} is gated, and access is not granted.`;
		return { code: "HUB_GATED", message, hint };
	}
	if (code === "RevisionNotFound") {
		const message = `Dataset ${repo} at ${endpoint.host} has no revision ${revision}.`;
		return { code: "HUB_REVISION_NOT_FOUND", message };
	}
	if (code === "EntryNotFound" && file !== null) {
		const message = `${at} lists ${file} in ${repo} at ${revision}, but lacks it.`;
		return { code: "HUB_ENTRY_NOT_FOUND", message };
	}
	if (answer.status === 401 && said === "Invalid credentials in Authorization header") {
		return { code: "HUB_TOKEN_INVALID", message: `${at} refuses the token.` };
	}
	if (code === "RepoNotFound" || answer.status === 401) {
		const message = `${at} has no dataset ${repo} that ${hasToken ? "this token" : "everybody"} may see.`;
		const hint = "Check the name in --source, and that the token's account has access.";
		return { code: "HUB_NOT_FOUND", message, ...(hasToken ? { hint } : {}) };
	}
	return null;
}

/** What a status without an error code says; null where that is nothing in particular. */
function byStatus(status: number, { repo, revision, file }: Subject, endpoint: URL): Denial | null {
	const at = `The Hub at ${endpoint.host}`;
	if (status === 403) {
		const hint = `Look at ${datasetPage(endpoint, repo)}; set HF_TOKEN to a token that may read it.`;
		return { code: "HUB_GATED", message: `${at} refuses access to dataset ${repo}.`, hint };
	}
	if (status !== 404 && status !== 410) return null;
	if (file === null) return { code: "HUB_NOT_FOUND", message: `${at} has no dataset ${repo} at ${revision}.` };
	return { code: "HUB_ENTRY_NOT_FOUND", message: `${at} lists ${file} in ${repo}, but lacks it.` };
}

function datasetPage(endpoint: URL, repo: string): string {
	return `${endpoint.origin}/datasets/${repo}`;
}

/** The LakeError for a failed connection to `host`; anything but a system error is returned as it is. */
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
