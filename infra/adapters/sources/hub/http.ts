import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { type Dispatcher, request as sendRequest } from "undici";
import type { z } from "zod";
import type { Clock, Progress } from "../../../../pipelines/ports/run.js";
import { Retries, type RetryPolicy, tellRetries } from "../../../../pipelines/retry.js";
import { LakeError } from "../../../../schemas/errors.js";
import { type DirectAnswer, type DirectBody, getDirectly } from "../direct-get.js";
import { openNetwork, proxyFor } from "../network.js";
import { AddressGuard } from "../private-address.js";
import type { Proxies } from "../proxy.js";
import { connectionError, named, notTheHub, refusal, type Subject, unavailable } from "./errors.js";
import { type Headers, header, isHtml } from "./headers.js";

/** Requests to the Hub: follows redirects itself, tells errors apart, waits as long as the Hub asks, retries. */

const MAX_HOPS = 5;
/** Pages of a listing are far smaller; anything larger is not a response of the Hub's API. */
const MAX_JSON_BYTES = 64 << 20;
/** Seconds by which two clocks may differ before it is reported. */
const MAX_SKEW_SECONDS = 300;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Bodies must come uncompressed: ranges of compressed bytes are not ranges of the file. */
const UNCOMPRESSED = {
	"accept-encoding": "identity",
	"cache-control": "no-transform",
	"user-agent": "imagereward-lake",
};

/** The response at the end of a chain of redirects. */
export interface HubAnswer {
	status: number;
	headers: Headers;
	body: Dispatcher.ResponseData["body"] | DirectBody;
	/** Whether it came from another host than the endpoint's: the store of large files. */
	elsewhere: boolean;
	/** Where it came from; may be a signed URL: never put it into a message. */
	url: URL;
	/** Name and port of the host that it came from. */
	host: string;
	/** `X-Repo-Commit`, `X-Linked-Etag` (unquoted) and `X-Linked-Size`, as the endpoint sent them on the way. */
	linked: { commit: string | null; etag: string | null; size: number | null };
}

export interface HubHttpOptions {
	/** `https://huggingface.co`, or what `HF_ENDPOINT` says. */
	endpoint: string;
	token: string | null;
	clock: Clock;
	note: Progress["note"];
	/** For API requests; default RETRY_POLICY. */
	retry?: RetryPolicy;
	/** Longest silence before and within a response, in seconds; default 30. */
	idleSeconds?: number;
	/** Longest time to connect, in seconds; default 10. */
	connectSeconds?: number;
	/** Default: none. */
	proxies?: Proxies | null;
	/** Whether redirects may lead to private addresses although the endpoint's is public; default no. */
	allowPrivate?: boolean;
}

export interface HubRequest {
	subject: Subject;
	signal: AbortSignal;
	method?: "GET" | "HEAD";
	headers?: Record<string, string>;
	/** Expects a large body: another host than the endpoint sends it over a connection of its own. */
	large?: boolean;
	/** Return a redirect that leaves the endpoint instead of following it. */
	stayHome?: boolean;
}

/** Where a redirect leads. Throws HUB_REDIRECT_REFUSED, naming the host only: the address may be a signed URL. */
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

/** The target with `rel="next"` of a `Link` header (RFC 8288), or null. */
export function nextLink(headers: Headers): string | null {
	for (const [, target, parameters] of (header(headers, "link") ?? "").matchAll(/<([^>]*)>((?:\s*;\s*[^,;]*)*)/g)) {
		if (/;\s*rel\s*=\s*"?([^";]*\s)?next(\s[^";]*)?"?\s*(;|$)/i.test(parameters ?? "")) return target ?? null;
	}
	return null;
}

/** Null for a body over MAX_JSON_BYTES. */
async function readBody(body: HubAnswer["body"]): Promise<Buffer | null> {
	const parts: Buffer[] = [];
	let bytes = 0;
	for await (const part of body as AsyncIterable<Buffer>) {
		bytes += part.length;
		if (bytes > MAX_JSON_BYTES) return null;
		parts.push(part);
	}
	return Buffer.concat(parts);
}

const DECODERS = { gzip: gunzipSync, "x-gzip": gunzipSync, deflate: inflateSync, br: brotliDecompressSync };

/** Text that something on the way may have compressed unasked. Undefined where it cannot be decoded. */
function decoded(bytes: Buffer, headers: Headers): string | undefined {
	const coding = (header(headers, "content-encoding") ?? "identity").trim().toLowerCase();
	const decode = coding in DECODERS ? DECODERS[coding as keyof typeof DECODERS] : null;
	try {
		const plain = decode === null ? bytes : decode(bytes, { maxOutputLength: MAX_JSON_BYTES });
		return plain.toString("utf8");
	} catch {
		return undefined;
	}
}

function parseJson(text: string | undefined): unknown {
	try {
		return text === undefined ? undefined : JSON.parse(text);
	} catch {
		return undefined;
	}
}

function discard(body: HubAnswer["body"]): void {
	body.dump().catch(() => undefined);
}

/** Throws HUB_TOKEN_INVALID for a token that cannot stand in a header. */
function authorization(token: string | null): Record<string, string> {
	if (token === null) return {};
	if (!/^[\x21-\x7e]+$/.test(token))
		throw new LakeError("HUB_TOKEN_INVALID", "The Hub's token holds a blank or an unprintable character.");
	return { authorization: `Bearer ${token}` };
}

/** Throws USAGE unless the endpoint is an http(s) address. */
function endpointUrl(endpoint: string): URL {
	const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
	if (url !== null && /^https?:$/.test(url.protocol)) return url;
	throw new LakeError("USAGE", "HF_ENDPOINT is not an http or https address.", { path: "HF_ENDPOINT" });
}

/** A client of one Hub. The constructor throws USAGE or HUB_TOKEN_INVALID where endpoint or token cannot be used. */
export class HubHttp {
	readonly endpoint: URL;
	readonly #options: HubHttpOptions;
	readonly #credentials: Record<string, string>;
	readonly #dispatcher: Dispatcher;
	readonly #guard: AddressGuard;
	readonly #timeouts: { idle: number; connect: number };
	/** By host: the clock time before which it wants no requests. */
	readonly #pausedUntil = new Map<string, number>();
	/** Hosts whose transfer codings need a full HTTP client. */
	readonly #notDirect = new Set<string>();
	#clocksCompared = false;

	constructor(options: HubHttpOptions) {
		this.#options = options;
		this.endpoint = endpointUrl(options.endpoint);
		this.#credentials = authorization(options.token);
		this.#guard = new AddressGuard({ home: this.endpoint.hostname, allowPrivate: options.allowPrivate ?? false });
		this.#timeouts = { idle: (options.idleSeconds ?? 30) * 1000, connect: (options.connectSeconds ?? 10) * 1000 };
		this.#dispatcher = openNetwork({ ...this.#timeouts, guard: this.#guard, proxies: options.proxies ?? null });
	}

	/** An address below the endpoint; `path` begins with `/` and is encoded. */
	url(path: string): URL {
		return new URL(`${this.endpoint.origin}${this.endpoint.pathname.replace(/\/+$/, "")}${path}`);
	}

	/**
	 * One attempt. Resolves with a 2xx, with a 403 of another host than the endpoint, and, with `stayHome`, with a 3xx.
	 * `url` may be one that an earlier response came from.
	 */
	async open(url: URL, request: HubRequest): Promise<HubAnswer> {
		const trail = { url };
		let answer: HubAnswer;
		try {
			answer = await this.#follow(trail, request);
		} catch (error) {
			throw this.explain(error, request, trail.url.host);
		}
		this.#compareClocks(answer.headers);
		const { status, elsewhere, host } = answer;
		if (status < 400 || (elsewhere && status === 403)) return answer;
		discard(answer.body);
		const error = refusal(answer, request.subject, this.endpoint, this.#options.token !== null);
		if (error.code === "HUB_RATE_LIMITED" && error.waitSeconds !== null) this.#pause(host, error.waitSeconds);
		throw error;
	}

	/** `open` of the first of these addresses that is not refused with a 403, as one is that was signed too long ago. */
	async openFirst(addresses: URL[], request: HubRequest): Promise<HubAnswer> {
		for (const address of addresses) {
			const answer = await this.open(address, request);
			if (answer.status !== 403) return answer;
			discard(answer.body);
		}
		throw unavailable(this.endpoint, request.subject, "its file store refuses the signed address");
	}

	/** A JSON response of the API, with retries; `next` is the next page's address on the endpoint, or null. */
	async json<T>(url: URL, schema: z.ZodType<T>, request: HubRequest): Promise<{ value: T; next: URL | null }> {
		const { value, headers } = await this.retry(() => this.#jsonOnce(url, schema, request), request.signal);
		const link = nextLink(headers);
		return { value, next: link === null ? null : pageUrl(link, url, this.endpoint, request.subject) };
	}

	async #jsonOnce<T>(url: URL, schema: z.ZodType<T>, request: HubRequest): Promise<{ value: T; headers: Headers }> {
		const { endpoint } = this;
		const answer = await this.open(url, { ...request, stayHome: true });
		const { status, headers, body, host } = answer;
		if (REDIRECTS.has(status)) {
			const to = nextHop(url, header(headers, "location"), endpoint, request.subject).host;
			throw notTheHub(endpoint, request.subject, `it sends on to another host, ${to}`);
		}
		let bytes: Buffer | null;
		try {
			bytes = await readBody(body);
		} catch (error) {
			throw this.explain(error, request, host);
		}
		if (bytes === null) throw notTheHub(endpoint, request.subject, "its answer never ends");
		if (isHtml(headers)) throw notTheHub(endpoint, request.subject, "it sent a web page");
		const found = parseJson(decoded(bytes, headers));
		if (found === undefined && /\bjson\b/i.test(header(headers, "content-type") ?? "")) {
			throw unavailable(endpoint, request.subject, "its answer is cut short or damaged");
		}
		const parsed = schema.safeParse(found);
		if (!parsed.success) throw notTheHub(endpoint, request.subject, "its answer is not what the Hub's API gives");
		return { value: parsed.data, headers };
	}

	/** Repeats `attempt` while its error says that a retry can help. */
	async retry<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
		const { clock, note, retry: policy } = this.#options;
		// A user who waits for the first response should soon learn that this is not the Hub.
		const seldom = { HUB_NOT_THE_HUB: 2 };
		const retries = new Retries({ policy, seldom, clock, signal, onRetry: tellRetries(note) });
		for (;;) {
			try {
				return await attempt();
			} catch (error) {
				await retries.after(error);
			}
		}
	}

	/** A network error of `host` as a LakeError, an abort as its reason; anything else as it is. */
	explain(error: unknown, request: HubRequest, host: string): unknown {
		if (request.signal.aborted) return request.signal.reason;
		return connectionError(error, this.endpoint, request.subject, host);
	}

	/** Sends the host no request, whatever it is about, for this many seconds. */
	#pause(host: string, seconds: number): void {
		const until = this.#options.clock.now() + seconds;
		this.#pausedUntil.set(host, Math.max(until, this.#pausedUntil.get(host) ?? until));
	}

	async #waitUntilFree(host: string, signal: AbortSignal): Promise<void> {
		const seconds = (this.#pausedUntil.get(host) ?? 0) - this.#options.clock.now();
		if (this.#pausedUntil.has(host) && seconds > 0) await this.#options.clock.sleep(seconds, signal);
	}

	/** Warns once if this machine's clock is wrong. Nothing here depends on it. */
	#compareClocks(headers: Headers): void {
		const there = Date.parse(header(headers, "date") ?? "");
		// A cached response has the date of its making.
		if (this.#clocksCompared || Number.isNaN(there) || header(headers, "age") !== null) return;
		this.#clocksCompared = true;
		const seconds = Math.round((Date.now() - there) / 1000);
		if (Math.abs(seconds) < MAX_SKEW_SECONDS) return;
		const how = `${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"}`;
		this.#options.note("warn", `This machine's clock is ${how} that of ${this.endpoint.host}.`, {
			skew_seconds: seconds,
		});
	}

	close(): Promise<void> {
		return this.#dispatcher.destroy();
	}

	#send(url: URL, request: HubRequest, elsewhere: boolean): Promise<Dispatcher.ResponseData> {
		return sendRequest(url, {
			dispatcher: this.#dispatcher,
			method: request.method ?? "GET",
			headers: { ...UNCOMPRESSED, ...request.headers, ...(elsewhere ? {} : this.#credentials) },
			signal: request.signal,
		});
	}

	/** Null where a direct connection cannot serve: through a proxy, or for a host that uses transfer codings. */
	async #getDirectly(url: URL, request: HubRequest): Promise<DirectAnswer | null> {
		const { proxies } = this.#options;
		if (this.#notDirect.has(url.host) || (proxies && proxyFor(proxies, url) !== null)) return null;
		const answer = await getDirectly(url, {
			...this.#timeouts,
			headers: { ...UNCOMPRESSED, ...request.headers },
			signal: request.signal,
			lookup: this.#guard.lookup,
		});
		if (answer === null) this.#notDirect.add(url.host);
		return answer;
	}

	/** Follows redirects. The token goes to the endpoint's origin only, and no more once a redirect has left it. */
	async #follow(trail: { url: URL }, request: HubRequest): Promise<HubAnswer> {
		const linked: HubAnswer["linked"] = { commit: null, etag: null, size: null };
		let { url } = trail;
		let elsewhere = url.origin !== this.endpoint.origin;
		for (let hop = 0; hop <= MAX_HOPS; hop++) {
			trail.url = url;
			await this.#waitUntilFree(url.host, request.signal);
			const answer =
				(elsewhere && request.large ? await this.#getDirectly(url, request) : null) ??
				(await this.#send(url, request, elsewhere));
			const { statusCode: status, headers, body } = answer;
			if (!elsewhere) collectLinked(linked, headers);
			if (!REDIRECTS.has(status)) return { status, headers, body, elsewhere, url, host: url.host, linked };
			// Drained whatever follows, so that the connection can be reused.
			discard(body);
			const from = url;
			url = nextHop(from, header(headers, "location"), this.endpoint, request.subject);
			elsewhere ||= url.origin !== this.endpoint.origin;
			if (elsewhere && request.stayHome) {
				return { status, headers, body, elsewhere: false, url: from, host: from.host, linked };
			}
			this.#guard.checkHost(url.hostname);
		}
		throw new LakeError(
			"HUB_REDIRECT_REFUSED",
			`The Hub at ${this.endpoint.host} redirects ${named(request.subject)} more than ${MAX_HOPS} times.`,
		);
	}
}

function collectLinked(linked: HubAnswer["linked"], headers: Headers): void {
	const size = header(headers, "x-linked-size");
	linked.commit ??= header(headers, "x-repo-commit");
	linked.etag ??= header(headers, "x-linked-etag")?.replace(/^W\//, "").replaceAll('"', "") ?? null;
	if (size !== null && /^\d+$/.test(size)) linked.size ??= Number(size);
}

/** Throws unless the next page lies on the endpoint: the request for it carries the token. */
function pageUrl(link: string, from: URL, endpoint: URL, subject: Subject): URL {
	const url = URL.canParse(link, from.href) ? new URL(link, from) : null;
	if (url !== null && url.origin === endpoint.origin) return url;
	throw new LakeError(
		"HUB_REDIRECT_REFUSED",
		`The Hub at ${endpoint.host} continues the listing of ${named(subject)} on another host.`,
	);
}
