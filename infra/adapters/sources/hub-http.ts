import { Agent, type Dispatcher, request } from "undici";
import type { z } from "zod";
import type { Clock, Progress } from "../../../pipelines/ports.js";
import { LakeError, systemCode } from "../../../schemas/errors.js";

/** Requests to the Hub: redirects by hand, errors told apart, retry. */

const MAX_HOPS = 5;
const MAX_RETRIES = 5;
/** Longest time in seconds that the Hub's own wish to wait is obeyed within one call. */
const MAX_WAIT = 3600;
/** A page of a listing is far below; anything larger is no answer of the Hub's API. */
const MAX_JSON_BYTES = 64 << 20;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const PLAIN = { "accept-encoding": "identity", "user-agent": "imagereward-lake" };
const CERTIFICATE = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

export type Headers = Record<string, string | string[] | undefined>;

/** What a request is about; for messages. */
export interface Subject {
	repo: string;
	revision: string;
	/** Path of the file asked for; null where the request is about the dataset as a whole. */
	file: string | null;
}

/** The last answer of a chain of redirects. */
export interface HubAnswer {
	status: number;
	headers: Headers;
	body: Dispatcher.ResponseData["body"];
	/** Whether a host other than the endpoint's gave it: the store of large files. */
	elsewhere: boolean;
	/** `X-Repo-Commit`, `X-Linked-Etag` (bare), `X-Linked-Size`, as the endpoint itself gave them on the way. */
	linked: { commit: string | null; etag: string | null; size: number | null };
}

export interface HubHttpOptions {
	/** `https://huggingface.co`, or what `HF_ENDPOINT` says. */
	endpoint: string;
	token: string | null;
	clock: Clock;
	note: Progress["note"];
	/** Longest silence in seconds before and within an answer; default 30. */
	idleSeconds?: number;
	/** Longest time in seconds to connect; default 10. */
	connectSeconds?: number;
}

export interface Ask {
	subject: Subject;
	signal: AbortSignal;
	method?: "GET" | "HEAD";
	headers?: Record<string, string>;
	/** Stop at a redirect that leaves the endpoint, and give that answer. */
	stayHome?: boolean;
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

function named(subject: Subject): string {
	const dataset = `dataset ${subject.repo} at ${subject.revision}`;
	return subject.file === null ? dataset : `${subject.file} of ${dataset}`;
}

export function notTheHub(endpoint: URL, subject: Subject, why: string): LakeError {
	return new LakeError(
		"HUB_NOT_THE_HUB",
		`What answered at ${endpoint.host} about ${named(subject)} is not the Hub: ${why}.`,
		subject.file === null ? {} : { path: subject.file },
	);
}

/** An answer that another attempt may better. */
export function unavailable(endpoint: URL, subject: Subject, why: string, details = {}): LakeError {
	const path = subject.file === null ? {} : { path: subject.file };
	return new LakeError("HUB_UNAVAILABLE", `The Hub at ${endpoint.host} failed on ${named(subject)}: ${why}.`, {
		...path,
		...details,
	});
}

type Refusal = Pick<HubAnswer, "status" | "headers" | "elsewhere">;

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
		return new LakeError("HUB_RATE_LIMITED", `The Hub at ${endpoint.host} asks to wait ${long}.`, waiting);
	}
	if (status === 408 || status >= 500) return unavailable(endpoint, subject, `status ${status}`, waiting);
	if (answer.elsewhere) return unavailable(endpoint, subject, `its file store answered ${status}`, waiting);
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
	if (isHtml(headers) || status === 407) return notTheHub(endpoint, subject, `it answered ${status} and no error code`);
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

/** Where a redirect leads. Throws HUB_REDIRECT_REFUSED for what is not followed; the address itself may be signed, so only its host is named. */
export function nextHop(from: URL, location: string | null, endpoint: URL, subject: Subject): URL {
	if (location === null || !URL.canParse(location, from.href))
		throw notTheHub(endpoint, subject, "a redirect leads nowhere");
	const next = new URL(location, from);
	const plain = next.protocol === "http:" && from.protocol === "https:" && endpoint.protocol === "https:";
	if (plain || !/^https?:$/.test(next.protocol)) {
		const where = plain ? `${next.host} without encryption` : `a ${next.protocol} address`;
		throw new LakeError("HUB_REDIRECT_REFUSED", `The Hub at ${endpoint.host} redirects ${named(subject)} to ${where}.`);
	}
	next.username = "";
	next.password = "";
	return next;
}

/** The address with `rel="next"` of a `Link` header (RFC 8288), or null. */
export function nextLink(headers: Headers): string | null {
	for (const [, target, parameters] of (header(headers, "link") ?? "").matchAll(/<([^>]*)>((?:\s*;\s*[^,;]*)*)/g)) {
		if (/;\s*rel\s*=\s*"?([^";]*\s)?next(\s[^";]*)?"?\s*(;|$)/i.test(parameters ?? "")) return target ?? null;
	}
	return null;
}

/** Seconds before the n-th retry in a row: 1, doubled up to 8, and up to a quarter more so that workers do not come all at once. */
function backoff(failures: number): number {
	return Math.min(8, 2 ** (failures - 1)) * (1 + Math.random() / 4);
}

async function textOf(body: HubAnswer["body"]): Promise<string | null> {
	const parts: Buffer[] = [];
	let bytes = 0;
	for await (const part of body as AsyncIterable<Buffer>) {
		bytes += part.length;
		if (bytes > MAX_JSON_BYTES) return null;
		parts.push(part);
	}
	return Buffer.concat(parts).toString("utf8");
}

function parseJson(text: string | null): unknown {
	try {
		return text === null ? undefined : JSON.parse(text);
	} catch {
		return undefined;
	}
}

function discard(body: HubAnswer["body"]): void {
	body.dump().catch(() => undefined);
}

/** Throws HUB_TOKEN_INVALID for a token that no header can carry. */
function authorization(token: string | null): Record<string, string> {
	if (token === null) return {};
	if (!/^[\x21-\x7e]+$/.test(token))
		throw new LakeError("HUB_TOKEN_INVALID", "The Hub's token holds a blank or an unprintable character.");
	return { authorization: `Bearer ${token}` };
}

/** Throws USAGE when the endpoint is no http(s) address. */
function endpointUrl(endpoint: string): URL {
	const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
	if (url !== null && /^https?:$/.test(url.protocol)) return url;
	throw new LakeError("USAGE", "HF_ENDPOINT is no http or https address.", { path: "HF_ENDPOINT" });
}

/** Requests to one Hub. The constructor throws USAGE or HUB_TOKEN_INVALID when endpoint or token cannot be used at all. */
export class HubHttp {
	readonly endpoint: URL;
	private readonly credentials: Record<string, string>;
	private readonly dispatcher: Agent;

	constructor(private readonly options: HubHttpOptions) {
		this.endpoint = endpointUrl(options.endpoint);
		this.credentials = authorization(options.token);
		const idle = (options.idleSeconds ?? 30) * 1000;
		this.dispatcher = new Agent({
			headersTimeout: idle,
			bodyTimeout: idle,
			connect: { timeout: (options.connectSeconds ?? 10) * 1000 },
		});
	}

	/** An address below the endpoint; `path` begins with `/` and is encoded. */
	url(path: string): URL {
		return new URL(`${this.endpoint.origin}${this.endpoint.pathname.replace(/\/+$/, "")}${path}`);
	}

	/** One attempt. Resolves with 2xx, with 403 of another host than the endpoint, and with `stayHome` with a 3xx. */
	async open(url: URL, ask: Ask): Promise<HubAnswer> {
		let answer: HubAnswer;
		try {
			answer = await this.follow(url, ask);
		} catch (error) {
			throw this.explain(error, ask);
		}
		const { status, elsewhere } = answer;
		if (status < 400 || (elsewhere && status === 403)) return answer;
		discard(answer.body);
		throw refusal(answer, ask.subject, this.endpoint, this.options.token !== null);
	}

	/** A JSON answer of the API, retried; `next` is the next page's address on the endpoint, or null. */
	async json<T>(url: URL, schema: z.ZodType<T>, ask: Ask): Promise<{ value: T; next: URL | null }> {
		const { text, headers } = await this.retry(async () => {
			const answer = await this.open(url, ask);
			try {
				return { text: await textOf(answer.body), headers: answer.headers };
			} catch (error) {
				throw this.explain(error, ask);
			}
		}, ask.signal);
		const parsed = schema.safeParse(parseJson(text));
		if (!parsed.success) throw notTheHub(this.endpoint, ask.subject, "its answer is not what the Hub's API gives");
		const link = nextLink(headers);
		return { value: parsed.data, next: link === null ? null : pageUrl(link, url, this.endpoint, ask.subject) };
	}

	/** Runs an attempt again while its error says that this can help: five times, and as often as the Hub asks to wait. */
	async retry<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
		let failures = 0;
		let waited = 0;
		for (;;) {
			try {
				return await attempt();
			} catch (error) {
				signal.throwIfAborted();
				if (!(error instanceof LakeError) || !error.retry) throw error;
				// A wait that the Hub asked for is no failure.
				if (error.code !== "HUB_RATE_LIMITED" || !error.waitSeconds) failures++;
				const seconds = error.waitSeconds ?? backoff(failures);
				waited += seconds;
				if (failures > MAX_RETRIES || waited > MAX_WAIT) throw error;
				this.options.note("warn", `${error.message} Trying again in ${Math.ceil(seconds)} s.`, { code: error.code });
				await this.options.clock.sleep(seconds, signal);
			}
		}
	}

	/** The network's errors as LakeErrors, an abort as its reason; anything else as it is. */
	explain(error: unknown, ask: Ask): unknown {
		if (ask.signal.aborted) return ask.signal.reason;
		const code = systemCode(error);
		if (error instanceof LakeError || code === null) return error;
		return unavailable(this.endpoint, ask.subject, `the connection failed (${code})`, {
			cause: error,
			retry: !CERTIFICATE.test(code),
		});
	}

	close(): Promise<void> {
		return this.dispatcher.destroy();
	}

	/** Follows redirects; the token goes to the endpoint's origin only, and never again once that was left. */
	private async follow(first: URL, ask: Ask): Promise<HubAnswer> {
		const linked: HubAnswer["linked"] = { commit: null, etag: null, size: null };
		let url = first;
		let elsewhere = false;
		for (let hop = 0; hop <= MAX_HOPS; hop++) {
			const answer = await request(url, {
				dispatcher: this.dispatcher,
				method: ask.method ?? "GET",
				headers: { ...PLAIN, ...ask.headers, ...(elsewhere ? {} : this.credentials) },
				signal: ask.signal,
			});
			const { statusCode: status, headers, body } = answer;
			if (!elsewhere) collect(linked, headers);
			if (!REDIRECTS.has(status)) return { status, headers, body, elsewhere, linked };
			// Read to its end whatever follows, so that the connection can serve again.
			discard(body);
			url = nextHop(url, header(headers, "location"), this.endpoint, ask.subject);
			elsewhere ||= url.origin !== this.endpoint.origin;
			if (elsewhere && ask.stayHome) return { status, headers, body, elsewhere: false, linked };
		}
		throw new LakeError(
			"HUB_REDIRECT_REFUSED",
			`The Hub at ${this.endpoint.host} redirects ${named(ask.subject)} more than ${MAX_HOPS} times.`,
		);
	}
}

function collect(linked: HubAnswer["linked"], headers: Headers): void {
	const size = header(headers, "x-linked-size");
	linked.commit ??= header(headers, "x-repo-commit");
	linked.etag ??= header(headers, "x-linked-etag")?.replace(/^W\//, "").replaceAll('"', "") ?? null;
	if (size !== null && /^\d+$/.test(size)) linked.size ??= Number(size);
}

/** The next page lies on the endpoint, since the token goes with the request. */
function pageUrl(link: string, from: URL, endpoint: URL, subject: Subject): URL {
	const url = URL.canParse(link, from.href) ? new URL(link, from) : null;
	if (url !== null && url.origin === endpoint.origin) return url;
	throw new LakeError(
		"HUB_REDIRECT_REFUSED",
		`The Hub at ${endpoint.host} continues the listing of ${named(subject)} on another host.`,
	);
}
