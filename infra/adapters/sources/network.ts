import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { Agent, buildConnector, Dispatcher } from "undici";
import { LakeError, systemCode } from "../../../schemas/errors.js";
import type { AddressGuard } from "./private-address.js";
import { type Proxies, portOf, proxyAuthorization, wantsCredentials } from "./proxy.js";

/** How connections are made: directly, with each address checked, or by way of a proxy. */

export interface NetworkOptions {
	guard: AddressGuard;
	proxies: Proxies | null;
	/** Longest silence in milliseconds before and within an answer. */
	idle: number;
	/** Longest time in milliseconds to connect. */
	connect: number;
}

/** Keeps connections open for reuse; `destroy` closes them all. */
export function openNetwork({ guard, proxies, idle, connect }: NetworkOptions): Dispatcher {
	const common = { headersTimeout: idle, bodyTimeout: idle };
	const direct = new Agent({ ...common, connect: buildConnector({ timeout: connect, lookup: guard.lookup }) });
	if (proxies === null) return direct;
	const plain = buildConnector({ timeout: connect });
	return new ProxyNetwork(proxies, {
		direct,
		// The proxy is the user's own choice: its address is not checked.
		tunnels: new Agent({ ...common, connect: tunnelConnector(proxies, plain, connect) }),
		proxy: new Agent({ ...common, connect: namingProxy(plain) }),
	});
}

interface Ways {
	direct: Agent;
	/** Connections to `https:` origins through a proxy's CONNECT. */
	tunnels: Agent;
	/** Connections to a proxy that is asked for `http:` addresses. */
	proxy: Agent;
}

/** Sends each request the way that the environment says. */
class ProxyNetwork extends Dispatcher {
	constructor(
		private readonly proxies: Proxies,
		private readonly ways: Ways,
	) {
		super();
	}

	override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
		const origin = new URL(String(options.origin));
		const proxy = proxyFor(this.proxies, origin);
		if (proxy === null) return this.ways.direct.dispatch(options, handler);
		if (origin.protocol === "https:") return this.ways.tunnels.dispatch(options, handler);
		const authorization = proxyAuthorization(proxy);
		const headers = {
			...(options.headers as Record<string, string>),
			host: origin.host,
			...(authorization === null ? {} : { "proxy-authorization": authorization }),
		};
		// The whole address stands in the request's first line (RFC 9112, 3.2.2).
		const path = `${origin.origin}${options.path}`;
		return this.ways.proxy.dispatch({ ...options, origin: proxy.origin, path, headers }, handler);
	}

	override async close(): Promise<void> {
		await Promise.all(Object.values(this.ways).map((way: Agent) => way.close()));
	}

	override async destroy(): Promise<void> {
		await Promise.all(Object.values(this.ways).map((way: Agent) => way.destroy()));
	}
}

export function proxyFor(proxies: Proxies, url: URL): URL | null {
	return proxies.isExempt(url) ? null : url.protocol === "https:" ? proxies.https : proxies.http;
}

/** The failures of a connection to the proxy itself, told as such. */
function namingProxy(connect: buildConnector.connector): buildConnector.connector {
	return (options, callback) =>
		connect(options, (...[error, socket]) => {
			if (error === null) callback(null, socket);
			else callback(unreachable(`${options.hostname}:${options.port}`, error), null);
		});
}

function unreachable(proxy: string, cause: unknown): LakeError {
	const reason = systemCode(cause) ?? "no answer";
	return new LakeError("HUB_PROXY_FAILED", `The proxy ${proxy} cannot be reached (${reason}).`, { cause });
}

/** Opens a tunnel through the proxy, and TLS to the origin inside it. */
function tunnelConnector(
	proxies: Proxies,
	secure: buildConnector.connector,
	timeout: number,
): buildConnector.connector {
	return (options, callback) => {
		const port = options.port || "443";
		const host = options.hostname.includes(":") ? `[${options.hostname}]` : options.hostname;
		const proxy = proxyFor(proxies, new URL(`https://${host}:${port}`));
		if (proxy === null)
			return callback(new LakeError("INTERNAL", "A tunnel was asked for where none is needed."), null);
		openTunnel(proxy, `${host}:${port}`, timeout).then(
			(httpSocket) => secure({ ...options, httpSocket }, callback),
			(error: Error) => callback(error, null),
		);
	};
}

/** Rejects with HUB_PROXY_FAILED. */
function openTunnel(proxy: URL, target: string, timeout: number): Promise<Socket> {
	const authorization = proxyAuthorization(proxy);
	const options: RequestOptions = {
		host: proxy.hostname.replace(/^\[|\]$/g, ""),
		port: portOf(proxy),
		method: "CONNECT",
		path: target,
		headers: { host: target, ...(authorization === null ? {} : { "proxy-authorization": authorization }) },
		agent: false,
		timeout,
	};
	return new Promise((resolve, reject) => {
		const asking = proxy.protocol === "https:" ? httpsRequest(options) : httpRequest(options);
		asking.once("connect", ({ statusCode = 0 }, socket) => {
			socket.setTimeout(0);
			if (statusCode >= 200 && statusCode < 300) return resolve(socket);
			socket.destroy();
			reject(refusedBy(proxy, target, statusCode));
		});
		// An answer with a body, which a proxy that refuses may send, comes as a response.
		asking.once("response", (response) => {
			response.destroy();
			reject(refusedBy(proxy, target, response.statusCode ?? 0));
		});
		asking.once("timeout", () => asking.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })));
		asking.once("error", (error) => reject(unreachable(proxy.host, error)));
		asking.end();
	});
}

function refusedBy(proxy: URL, target: string, status: number): LakeError {
	if (status === 407) return wantsCredentials(`The proxy ${proxy.host}`);
	// What lies behind the proxy may be there again soon; a rule of the proxy's own will not change.
	const passing = status === 429 || status >= 500;
	return new LakeError("HUB_PROXY_FAILED", `The proxy ${proxy.host} answers ${status} to a connection to ${target}.`, {
		retry: passing,
		exit: passing ? 1 : 2,
	});
}
