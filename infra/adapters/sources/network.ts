import { request as httpRequest, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Socket } from "node:net";
import { Agent, buildConnector, Dispatcher } from "undici";
import { LakeError, systemCode } from "../../../schemas/errors.js";
import type { AddressGuard } from "./private-address.js";
import { type Proxies, portOf, proxyAuthorization, wantsCredentials } from "./proxy.js";

/** How connections are made: directly, with every address checked, or through a proxy. */

interface NetworkOptions {
	guard: AddressGuard;
	proxies: Proxies | null;
	/** Longest silence before and within a response, in milliseconds. */
	idle: number;
	/** Longest time to connect, in milliseconds. */
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
		// The user chose the proxy: its address is not checked.
		tunnels: new Agent({ ...common, connect: tunnelConnector(proxies, plain, connect) }),
		proxy: new Agent({ ...common, connect: namingProxy(plain) }),
	});
}

interface Routes {
	direct: Agent;
	/** Connections to `https:` origins through a proxy's CONNECT. */
	tunnels: Agent;
	/** Connections to the proxy for `http:` addresses. */
	proxy: Agent;
}

/** Sends each request by the route that the environment names for its address. */
class ProxyNetwork extends Dispatcher {
	readonly #proxies: Proxies;
	readonly #routes: Routes;

	constructor(proxies: Proxies, routes: Routes) {
		super();
		this.#proxies = proxies;
		this.#routes = routes;
	}

	override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
		const origin = new URL(String(options.origin));
		const proxy = proxyFor(this.#proxies, origin);
		if (proxy === null) return this.#routes.direct.dispatch(options, handler);
		if (origin.protocol === "https:") return this.#routes.tunnels.dispatch(options, handler);
		const authorization = proxyAuthorization(proxy);
		const headers = {
			...(options.headers as Record<string, string>),
			host: origin.host,
			...(authorization === null ? {} : { "proxy-authorization": authorization }),
		};
		// The request line has the whole address (RFC 9112, 3.2.2).
		const path = `${origin.origin}${options.path}`;
		return this.#routes.proxy.dispatch({ ...options, origin: proxy.origin, path, headers }, handler);
	}

	override async close(): Promise<void> {
		await Promise.all(Object.values(this.#routes).map((agent: Agent) => agent.close()));
	}

	override async destroy(): Promise<void> {
		await Promise.all(Object.values(this.#routes).map((agent: Agent) => agent.destroy()));
	}
}

export function proxyFor(proxies: Proxies, url: URL): URL | null {
	return proxies.isExempt(url) ? null : url.protocol === "https:" ? proxies.https : proxies.http;
}

/** Wraps a connector, so that its failures name the proxy. */
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
		const request = proxy.protocol === "https:" ? httpsRequest(options) : httpRequest(options);
		request.once("connect", ({ statusCode = 0 }, socket) => {
			socket.setTimeout(0);
			if (statusCode >= 200 && statusCode < 300) return resolve(socket);
			socket.destroy();
			reject(refusedBy(proxy, target, statusCode));
		});
		// A refusal with a body is emitted as a response, not as `connect`.
		request.once("response", (response) => {
			response.destroy();
			reject(refusedBy(proxy, target, response.statusCode ?? 0));
		});
		request.once("timeout", () =>
			request.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })),
		);
		request.once("error", (error) => reject(unreachable(proxy.host, error)));
		request.end();
	});
}

function refusedBy(proxy: URL, target: string, status: number): LakeError {
	if (status === 407) return wantsCredentials(`The proxy ${proxy.host}`);
	// What is behind the proxy may recover soon; the proxy's own rules will not change.
	const transient = status === 429 || status >= 500;
	return new LakeError("HUB_PROXY_FAILED", `The proxy ${proxy.host} answers ${status} to a connection to ${target}.`, {
		retry: transient,
		exit: transient ? 1 : 2,
	});
}
