import { BlockList, isIP } from "node:net";
import { LakeError } from "../../../schemas/errors.js";

/** Which proxy the environment names for an address. A proxy's credentials stand in no message: its host and port do. */

export interface Proxies {
	/** For `https:` addresses, for `http:` ones; null: none. */
	https: URL | null;
	http: URL | null;
	/** Whether an address is to be reached without a proxy. */
	isExempt(url: URL): boolean;
}

/**
 * `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`; the same in lower case win, as in curl. Null where no proxy
 * is named. Throws USAGE for what is no http(s) address.
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
	throw new LakeError("USAGE", `${name} is no http or https address of a proxy`, {
		path: name,
		hint: "Give http://host:port, or http://user:password@host:port; or unset it.",
	});
}

/** One word of `NO_PROXY`: `*`, a domain with all below it, an address, a network such as 10.0.0.0/8; each perhaps with a port. */
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

/** What the proxy is told of who asks, or null where its address holds no credentials. */
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

/** The error of a status of 407. */
export function wantsCredentials(who: string): LakeError {
	return new LakeError("HUB_PROXY_FAILED", `${who} wants other credentials, or any.`, {
		retry: false,
		exit: 2,
		hint: "Give them in HTTPS_PROXY: http://user:password@host:port, with special characters as %xx.",
	});
}
