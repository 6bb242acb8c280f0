import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { z } from "zod";
import { bearer, refuseToken } from "./access.js";
import { type Answer, json, pageNotFound } from "./answer.js";
import { Ledger, type Origin } from "./counters.js";
import { chanceSchema, Faults, faultName, faultsSchema } from "./faults.js";
import { cdn, Signer } from "./files.js";
import type { HubOptions } from "./options.js";
import { rateLimitHeaders } from "./ratelimit.js";
import { Repo } from "./repo.js";
import { answerRoute, kindOf, type Route, readRoute } from "./routes.js";
import { type Delivery, send } from "./send.js";
import { spoil } from "./spoil.js";

export interface RunningHub {
	endpoint: string;
	cdn: string;
	commit: string;
	close: () => void;
}

const EXPOSED =
	"X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash";

const reloadBody = z.object({ date: z.iso.datetime().optional() });

/** Starts the two listeners: the Hub's API, and the CDN that its signed redirects lead to. */
export async function startServer(folder: string, options: HubOptions): Promise<RunningHub> {
	const hub = new Hub(folder, options);
	return hub.listen();
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
	const chunks: Buffer[] = [];
	for await (const chunk of request) chunks.push(chunk);
	return Buffer.concat(chunks);
}

/** With a folder, one that speaks TLS with the certificate in it. */
function serve(tls: string | null, listener: RequestListener): Server {
	if (tls === null) return createServer(listener);
	return createSecureServer(
		{ key: readFileSync(join(tls, "key.pem")), cert: readFileSync(join(tls, "cert.pem")) },
		listener,
	);
}

async function listen(server: Server, port: number, tls: boolean): Promise<string> {
	await new Promise<void>((done, fail) => {
		server.once("error", fail);
		server.listen(port, "127.0.0.1", done);
	});
	// `listen` on a host and port makes the address an AddressInfo, never a pipe's name.
	return `${tls ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const UNCOUNTED: Delivery = { status: () => {}, count: () => () => {}, fault: null, bytesPerSecond: null };

interface Exchange {
	request: IncomingMessage;
	response: ServerResponse;
	route: Route;
	answer: Answer;
	/** Headers of this origin's every response. */
	common: Record<string, string>;
}

class Hub {
	readonly #options: HubOptions;
	readonly #repo: Repo;
	readonly #signer: Signer;
	readonly #ledger = new Ledger();
	readonly #faults = new Faults();
	#origins: Record<Origin, string> = { api: "", cdn: "" };

	constructor(folder: string, options: HubOptions) {
		this.#options = options;
		this.#repo = new Repo(folder, options.date);
		this.#signer = new Signer(options.signatureSeconds);
	}

	async listen(): Promise<RunningHub> {
		const { port, tls } = this.#options;
		const api = serve(tls, (request, response) => this.#guard(response, this.#onApi(request, response)));
		const files = serve(tls, (request, response) => this.#guard(response, this.#onCdn(request, response)));
		// A client that reuses a connection must not meet its end by chance.
		api.keepAliveTimeout = files.keepAliveTimeout = 120_000;
		this.#origins = { api: await listen(api, port, tls !== null), cdn: await listen(files, 0, tls !== null) };
		const close = () => {
			for (const server of [api, files]) {
				server.close();
				server.closeAllConnections();
			}
		};
		return { endpoint: this.#origins.api, cdn: this.#origins.cdn, commit: this.#repo.head.id, close };
	}

	/** A client that goes away in mid-request costs that request, not the process. */
	#guard(response: ServerResponse, work: Promise<void>): void {
		work.catch((error: unknown) => {
			if (!response.destroyed) console.error(error);
			response.destroy();
		});
	}

	async #onApi(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const target = new URL(request.url ?? "/", this.#origins.api);
		const body = await readBody(request);
		if (target.pathname.startsWith("/_test/")) {
			const answer = this.#onTest(request.method ?? "GET", target.pathname, body);
			return send(request, response, answer, UNCOUNTED);
		}
		const token = bearer(request.headers.authorization);
		const route = readRoute(target, this.#options);
		const answer =
			refuseToken(this.#options, token) ??
			answerRoute(route, {
				repo: this.#repo,
				options: this.#options,
				token,
				target,
				request,
				body,
				cdn: { origin: this.#origins.cdn, signer: this.#signer },
				endpoint: this.#origins.api,
			});
		const common = {
			...rateLimitHeaders(target.pathname, token !== null),
			"X-Request-Id": `Root=1-${randomUUID()}`,
			"Access-Control-Expose-Headers": EXPOSED,
		};
		return this.#deliver("api", { request, response, route, answer, common });
	}

	async #onCdn(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const target = new URL(request.url ?? "/", this.#origins.cdn);
		request.resume();
		const route: Route = { kind: "cdn", path: target.searchParams.get("X-Repo-Path") };
		const allowed = request.method === "GET" || request.method === "HEAD";
		const answer = allowed ? cdn(this.#repo, this.#signer, target) : pageNotFound();
		return this.#deliver("cdn", { request, response, route, answer, common: { "X-Amz-Cf-Id": randomUUID() } });
	}

	/** Every counted response passes here: the one place where a fault can take its turn. */
	#deliver(origin: Origin, { request, response, route, answer, common }: Exchange): Promise<void> {
		const path = "path" in route ? route.path : null;
		const isFile = route.kind === "resolve" || route.kind === "resolve_cache" || route.kind === "cdn";
		const counted = isFile ? path : null;
		const method = request.method ?? "GET";
		this.#ledger.request(origin, kindOf(route, method), {
			method,
			path: counted,
			authorized: request.headers.authorization !== undefined,
		});
		const size = Buffer.isBuffer(answer.body) ? answer.body.length : answer.body.size;
		const fault = this.#faults.take({ route: route.kind, path, size });
		const name = fault === null ? null : faultName(fault);
		if (name !== null) this.#ledger.fault(name);
		// The client gives up: nothing is ever said.
		if (fault?.kind === "hang") return Promise.resolve();
		const spoilt = spoil(answer, fault);
		return send(
			request,
			response,
			{ ...spoilt, headers: { ...common, ...spoilt.headers } },
			{
				status: (status) => this.#ledger.status(origin, status),
				count: (first) =>
					this.#ledger.body(origin, first === null || counted === null ? null : { path: counted, first, fault: name }),
				fault,
				bytesPerSecond: origin === "cdn" ? this.#options.bytesPerSecond : null,
			},
		);
	}

	#onTest(method: string, path: string, body: Buffer): Answer {
		if (method === "GET" && path === "/_test/counters") return json(this.#ledger.read());
		if (method !== "POST") return pageNotFound();
		if (path === "/_test/counters/reset") {
			this.#ledger.reset();
			return json({});
		}
		const value: unknown = body.length === 0 ? {} : JSON.parse(body.toString());
		if (path === "/_test/reload") {
			const wanted = reloadBody.safeParse(value);
			if (!wanted.success) return json({ error: z.prettifyError(wanted.error) }, {}, 400);
			return json({ commit: this.#repo.reload(wanted.data.date).id });
		}
		if (path === "/_test/faults") {
			const wanted = faultsSchema.safeParse(value);
			if (!wanted.success) return json({ error: z.prettifyError(wanted.error) }, {}, 400);
			this.#faults.set(wanted.data);
			return json({});
		}
		if (path === "/_test/chance") {
			const wanted = chanceSchema.safeParse(value);
			if (!wanted.success) return json({ error: z.prettifyError(wanted.error) }, {}, 400);
			this.#faults.setChance(wanted.data);
			return json({});
		}
		return pageNotFound();
	}
}
