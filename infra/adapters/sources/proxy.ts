import { BlockList, isIP } from "node:net";
import { LakeError } from "../../../schemas/errors.js";

/** Which proxy the environment names for an address. Messages name a proxy's host and port, never its credentials. */

export interface Proxies {
	/** The proxy for `https:` addresses, or null. */
	https: URL | null;
	/** The proxy for `http:` addresses, or null. */
	http: URL | null;
	/** Whether `NO_PROXY` excludes this address. */
	isExempt(url: URL): boolean;
}

/**
 * Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`; their lower-case forms take precedence, as in curl.
 * Null where no proxy is named. Throws USAGE for anything but an http(s) address.
 */
export function readProxies(env: NodeJS.ProcessEnv): Proxies | null {
	const all = named(env, "ALL_PROXY");
	const https = named(env, "HTTPS_PROXY") ?? all;
	const http = named(env, "HTTP_PROXY") ?? all;
	if (https === null && http === null) return null;
	const exempt = (env.no_proxy || env.NO_PROXY || "").split(/[\s,]+/).flatMap(readExempt);
	return { https, http, isExempt: (url) => exempt.some((matches) => matches(url)) };
}

function named(env: NodeJS.ProcessEnv, name: string): URL | null {
	const text = (env[name.toLowerCase()] || env[name] || "").trim();
	if (text === "") return null;
	const address = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
	const url = URL.canParse(address) ? new URL(address) : null;
	if (url !== null && /^https?:$/.test(url.protocol) && url.hostname !== "") return url;
	throw new LakeError("USAGE", `${name} is not the http or https address of a proxy.`, {
		path: name,
		hint: "Give http://host:port, or http://user:password@host:port; or unset it.",
	});
}

/** One entry of `NO_PROXY`: `*`, a domain and its subdomains, an address, or a network such as 10.0.0.0/8; a port may follow. */
function readExempt(word: string): ((url: URL) => boolean)[] {
	if (word === "") return [];
	if (word === "*") return [() => true];
	const [, prefix, bits] = /^([0-9a-f.:]+)\/(\d+)$/i.exec(word) ?? [];
	if (prefix !== undefined && isIP(prefix) !== 0) {
		const network = new BlockList();
		const most = isIP(prefix) === 4 ? 32 : 128;
		network.addSubnet(prefix, Math.min(most, Number(bits)), isIP(prefix) === 4 ? "ipv4" : "ipv6");
		return [(url) => isIP(host(url)) !== 0 && network.check(host(url), isIP(host(url)) === 4 ? "ipv4" : "ipv6")];
	}
	const [, name = word, port] = isIP(word) === 6 ? [] : (/^(.+?)(?::(\d+))?$/.exec(word) ?? []);
	const domain = name
		.replace(/^\[|\]$/g, "")
		.replace(/^\*?\./, "")
		.toLowerCase();
	return [
		(url) => (port === undefined || port === portOf(url)) && (host(url) === domain || host(url).endsWith(`.${domain}`)),
	];
}

function host(url: URL): string {
	return url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

export function portOf(url: URL): string {
	return url.port || (url.protocol === "https:" ? "443" : "80");
}

/** The value of `Proxy-Authorization`, or null where the proxy's address has no credentials. */
export function proxyAuthorization(proxy: URL): string | null {
	if (proxy.username === "" && proxy.password === "") return null;
	const text = [proxy.username, proxy.password].map(decodePart).join(":");
	return `Basic ${Buffer.from(text).toString("base64")}`;
}

function decodePart(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

/** The error for status 407. */
export function wantsCredentials(who: string): LakeError {
	return new LakeError("HUB_PROXY_FAILED", `${who} wants other credentials than it was given.`, {
		retry: false,
		exit: 2,
		hint: "Give them in HTTPS_PROXY: http://user:password@host:port, with special characters as %xx.",
	});
}
