import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { type Dispatcher, request } from "undici";
import type { z } from "zod";
import type { Clock, Progress } from "../../../pipelines/ports/run.js";
import { Retries, type RetryPolicy, tellRetries } from "../../../pipelines/retry.js";
import { LakeError } from "../../../schemas/errors.js";
import { type DirectAnswer, type DirectBody, getDirectly } from "./direct-get.js";
import {
	connectionError,
	type Headers,
	header,
	isHtml,
	named,
	notTheHub,
	refusal,
	type Subject,
	unavailable,
} from "./hub-errors.js";
import { openNetwork, proxyFor } from "./network.js";
import { AddressGuard } from "./private-address.js";
import type { Proxies } from "./proxy.js";

/** Requests to the Hub: redirects by hand, errors told apart, waits that are asked for, retry. */

const MAX_HOPS = 5;
/** A page of a listing is far below; anything larger is no answer of the Hub's API. */
const MAX_JSON_BYTES = 64 << 20;
/** Difference in seconds between two clocks that is worth telling. */
const SKEW = 300;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** A store's answer must come as it is: compressed, its ranges would be none of the file's. */
const PLAIN = { "accept-encoding": "identity", "cache-control": "no-transform", "user-agent": "imagereward-lake" };

/** The last answer of a chain of redirects. */
export interface HubAnswer {
	status: number;
	headers: Headers;
	body: Dispatcher.ResponseData["body"] | DirectBody;
	/** Whether a host other than the endpoint's gave it: the store of large files. */
	elsewhere: boolean;
	/** Where it came from; may be signed, so it is for no message. */
	url: URL;
	/** Name and port of whoever gave it. */
	host: string;
	/** `X-Repo-Commit`, `X-Linked-Etag` (bare), `X-Linked-Size`, as the endpoint itself gave them on the way. */
	linked: { commit: string | null; etag: string | null; size: number | null };
}

export interface HubHttpOptions {
	/** `https://huggingface.co`, or what `HF_ENDPOINT` says. */
	endpoint: string;
	token: string | null;
	clock: Clock;
	note: Progress["note"];
	/** Of the API's answers; default RETRY_POLICY. */
	retry?: RetryPolicy;
	/** Longest silence in seconds before and within an answer; default 30. */
	idleSeconds?: number;
	/** Longest time in seconds to connect; default 10. */
	connectSeconds?: number;
	/** Default: none. */
	proxies?: Proxies | null;
	/** Whether redirects may lead to private addresses, though the endpoint has none; default no. */
	allowPrivate?: boolean;
}

export interface Ask {
	subject: Subject;
	signal: AbortSignal;
	method?: "GET" | "HEAD";
	headers?: Record<string, string>;
	/** A large body is wanted: from another host than the endpoint it comes over a connection of its own. */
	large?: boolean;
	/** Stop at a redirect that leaves the endpoint, and give that answer. */
	stayHome?: boolean;
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

async function bytesOf(body: HubAnswer["body"]): Promise<Buffer | null> {
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

/** A text that something on the way may have compressed, though nobody asked for it. Undefined where it cannot be read. */
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
	private readonly dispatcher: Dispatcher;
	private readonly guard: AddressGuard;
	/** Until when, by the clock, a host wants no request, by its name. */
	private readonly held = new Map<string, number>();
	private clocksCompared = false;
	private readonly times: { idle: number; connect: number };
	/** Hosts whose answers need a full HTTP client. */
	private readonly framing = new Set<string>();

	constructor(private readonly options: HubHttpOptions) {
		this.endpoint = endpointUrl(options.endpoint);
		this.credentials = authorization(options.token);
		this.guard = new AddressGuard({ home: this.endpoint.hostname, allowPrivate: options.allowPrivate ?? false });
		this.times = { idle: (options.idleSeconds ?? 30) * 1000, connect: (options.connectSeconds ?? 10) * 1000 };
		this.dispatcher = openNetwork({ ...this.times, guard: this.guard, proxies: options.proxies ?? null });
	}

	/** An address below the endpoint; `path` begins with `/` and is encoded. */
	url(path: string): URL {
		return new URL(`${this.endpoint.origin}${this.endpoint.pathname.replace(/\/+$/, "")}${path}`);
	}

	/**
	 * One attempt. Resolves with 2xx, with 403 of another host than the endpoint, and with `stayHome` with a 3xx. `url` may
	 * be where an earlier answer came from.
	 */
	async open(url: URL, ask: Ask): Promise<HubAnswer> {
		const trail = { url };
		let answer: HubAnswer;
		try {
			answer = await this.follow(trail, ask);
		} catch (error) {
			throw this.explain(error, ask, trail.url.host);
		}
		this.compareClocks(answer.headers);
		const { status, elsewhere, host } = answer;
		if (status < 400 || (elsewhere && status === 403)) return answer;
		discard(answer.body);
		const error = refusal(answer, ask.subject, this.endpoint, this.options.token !== null);
		if (error.code === "HUB_RATE_LIMITED" && error.waitSeconds !== null) this.hold(host, error.waitSeconds);
		throw error;
	}

	/** A JSON answer of the API, retried; `next` is the next page's address on the endpoint, or null. */
	async json<T>(url: URL, schema: z.ZodType<T>, ask: Ask): Promise<{ value: T; next: URL | null }> {
		const { value, headers } = await this.retry(() => this.jsonOnce(url, schema, ask), ask.signal);
		const link = nextLink(headers);
		return { value, next: link === null ? null : pageUrl(link, url, this.endpoint, ask.subject) };
	}

	private async jsonOnce<T>(url: URL, schema: z.ZodType<T>, ask: Ask): Promise<{ value: T; headers: Headers }> {
		const { endpoint } = this;
		const answer = await this.open(url, { ...ask, stayHome: true });
		const { status, headers, body, host } = answer;
		if (REDIRECTS.has(status)) {
			const to = nextHop(url, header(headers, "location"), endpoint, ask.subject).host;
			throw notTheHub(endpoint, ask.subject, `it sends on to another host, ${to}`);
		}
		let bytes: Buffer | null;
		try {
			bytes = await bytesOf(body);
		} catch (error) {
			throw this.explain(error, ask, host);
		}
		if (bytes === null) throw notTheHub(endpoint, ask.subject, "its answer never ends");
		if (isHtml(headers)) throw notTheHub(endpoint, ask.subject, "it sent a web page");
		const found = parseJson(decoded(bytes, headers));
		if (found === undefined && /\bjson\b/i.test(header(headers, "content-type") ?? "")) {
			throw unavailable(endpoint, ask.subject, "its answer is cut short or damaged");
		}
		const parsed = schema.safeParse(found);
		if (!parsed.success) throw notTheHub(endpoint, ask.subject, "its answer is not what the Hub's API gives");
		return { value: parsed.data, headers };
	}

	/** Runs an attempt again while its error says that this can help. */
	async retry<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
		const { clock, note, retry: policy } = this.options;
		// At its first words somebody looks on, who should soon be told that this is not the Hub.
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

	/** The network's errors as LakeErrors, an abort as its reason; anything else as it is. `host` was spoken to. */
	explain(error: unknown, ask: Ask, host: string): unknown {
		if (ask.signal.aborted) return ask.signal.reason;
		return connectionError(error, this.endpoint, ask.subject, host);
	}

	/** No request goes to the host before so many seconds have passed, whatever it is about. */
	private hold(host: string, seconds: number): void {
		const until = this.options.clock.now() + seconds;
		this.held.set(host, Math.max(until, this.held.get(host) ?? until));
	}

	private async whileHeld(host: string, signal: AbortSignal): Promise<void> {
		const seconds = (this.held.get(host) ?? 0) - this.options.clock.now();
		if (this.held.has(host) && seconds > 0) await this.options.clock.sleep(seconds, signal);
	}

	/** Says once where this machine's clock is wrong. Nothing here depends on it. */
	private compareClocks(headers: Headers): void {
		const there = Date.parse(header(headers, "date") ?? "");
		// An answer from a cache bears the time at which it was made.
		if (this.clocksCompared || Number.isNaN(there) || header(headers, "age") !== null) return;
		this.clocksCompared = true;
		const seconds = Math.round((Date.now() - there) / 1000);
		if (Math.abs(seconds) < SKEW) return;
		const how = `${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"}`;
		this.options.note("warn", `This machine's clock is ${how} that of ${this.endpoint.host}.`, {
			skew_seconds: seconds,
		});
	}

	close(): Promise<void> {
		return this.dispatcher.destroy();
	}

	private request(url: URL, ask: Ask, elsewhere: boolean): Promise<Dispatcher.ResponseData> {
		return request(url, {
			dispatcher: this.dispatcher,
			method: ask.method ?? "GET",
			headers: { ...PLAIN, ...ask.headers, ...(elsewhere ? {} : this.credentials) },
			signal: ask.signal,
		});
	}

	/** Null where it must be asked for otherwise: through a proxy, or since the host frames bodies in its own way. */
	private async directly(url: URL, ask: Ask): Promise<DirectAnswer | null> {
		const { proxies } = this.options;
		if (this.framing.has(url.host) || (proxies && proxyFor(proxies, url) !== null)) return null;
		const answer = await getDirectly(url, {
			...this.times,
			headers: { ...PLAIN, ...ask.headers },
			signal: ask.signal,
			lookup: this.guard.lookup,
		});
		if (answer === null) this.framing.add(url.host);
		return answer;
	}

	/** Follows redirects; the token goes to the endpoint's origin only, and never again once that was left. */
	private async follow(trail: { url: URL }, ask: Ask): Promise<HubAnswer> {
		const linked: HubAnswer["linked"] = { commit: null, etag: null, size: null };
		let { url } = trail;
		let elsewhere = url.origin !== this.endpoint.origin;
		for (let hop = 0; hop <= MAX_HOPS; hop++) {
			trail.url = url;
			await this.whileHeld(url.host, ask.signal);
			const answer =
				(elsewhere && ask.large ? await this.directly(url, ask) : null) ?? (await this.request(url, ask, elsewhere));
			const { statusCode: status, headers, body } = answer;
			if (!elsewhere) collect(linked, headers);
			if (!REDIRECTS.has(status)) return { status, headers, body, elsewhere, url, host: url.host, linked };
			// Read to its end whatever follows, so that the connection can serve again.
			discard(body);
			const from = url;
			url = nextHop(from, header(headers, "location"), this.endpoint, ask.subject);
			elsewhere ||= url.origin !== this.endpoint.origin;
			if (elsewhere && ask.stayHome) {
				return { status, headers, body, elsewhere: false, url: from, host: from.host, linked };
			}
			this.guard.checkHost(url.hostname);
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
