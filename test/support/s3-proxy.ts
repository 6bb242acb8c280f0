import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";

/** A request on its way to the S3 server. */
export interface Passing {
	method: string;
	/** The key, decoded; "" for requests about the bucket. */
	key: string;
	query: URLSearchParams;
	headers: IncomingMessage["headers"];
	body: Buffer;
}

/**
 * What becomes of a request. `lose`: it is carried out and its answer is dropped; `reset`: it is dropped before;
 * `hold`: it is carried out and never answered; an error is answered in the server's place; a delay comes before all.
 */
export type Fate =
	| "pass"
	| "lose"
	| "reset"
	| "hold"
	| { status: number; code: string }
	| { delayMs: number }
	/** The answer breaks off after so many bytes; something else may happen before they come. */
	| { cutAfter: number; meanwhile?: () => Promise<unknown> }
	/** Answered in the server's place, with 200 and this XML. */
	| { answer: string }
	/** The body's last byte is another when it arrives. */
	| { altered: true }
	/** Called when it was carried out, before its answer is passed on. */
	| { after: () => Promise<unknown> }
	/** What another kind of server would do with it, and its answer's headers. */
	| { instead: () => Promise<Record<string, string>> };

const XML = { "content-type": "application/xml" };

export type Judge = (request: Passing) => Fate | Promise<Fate>;

/** Stands between a client and an S3 server, and does to each request what the test says. Signatures stay valid. */
export class S3Proxy {
	readonly endpoint: string;
	/** What came by, as `PUT key` or `POST key ?uploads`. */
	readonly seen: string[] = [];
	judge: Judge = () => "pass";
	readonly #server: Server;
	readonly #agent = new Agent({ keepAlive: true });
	readonly #upstream: URL;

	constructor(server: Server, port: number, upstream: string) {
		this.#server = server;
		this.#upstream = new URL(upstream);
		this.endpoint = `http://127.0.0.1:${port}`;
		server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
			// A client that is gone, killed perhaps, is no error here.
			this.#pass(incoming, outgoing).catch(() => outgoing.destroy());
		});
	}

	static async start(upstream: string, judge?: Judge): Promise<S3Proxy> {
		const server = createServer().listen(0, "127.0.0.1");
		await once(server, "listening");
		const address = server.address();
		if (typeof address !== "object" || address === null) throw new Error("the proxy has no port");
		const proxy = new S3Proxy(server, address.port, upstream);
		if (judge !== undefined) proxy.judge = judge;
		return proxy;
	}

	async stop(): Promise<void> {
		this.#server.closeAllConnections();
		this.#agent.destroy();
		this.#server.close();
		await once(this.#server, "close");
	}

	/** How many requests of this kind came by. */
	count(matches: RegExp): number {
		return this.seen.filter((line) => matches.test(line)).length;
	}

	async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
		const body = await buffer(incoming);
		const url = new URL(incoming.url ?? "/", this.endpoint);
		const key = decodeURIComponent(url.pathname).split("/").slice(2).join("/");
		const { method = "GET", headers } = incoming;
		this.seen.push(`${method} ${key}${url.search === "" ? "" : ` ${url.search}`}`);
		const fate = await this.judge({ method, key, query: url.searchParams, headers, body });
		if (fate === "reset") return void incoming.socket.destroy();
		if (typeof fate === "object" && "status" in fate) return answerError(outgoing, fate, method);
		if (typeof fate === "object" && "delayMs" in fate) await new Promise((wake) => setTimeout(wake, fate.delayMs));
		if (typeof fate === "object" && "instead" in fate) return void outgoing.writeHead(200, await fate.instead()).end();
		if (typeof fate === "object" && "answer" in fate) return void outgoing.writeHead(200, XML).end(fate.answer);
		const last = body.length - 1;
		if (typeof fate === "object" && "altered" in fate) body[last] = (body[last] ?? 0) ^ 1;
		const answer = await this.#forward(incoming, body);
		const content = await buffer(answer);
		if (fate === "lose") return void incoming.socket.destroy();
		if (fate === "hold") return;
		if (typeof fate === "object" && "after" in fate) await fate.after();
		outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
		if (typeof fate !== "object" || !("cutAfter" in fate)) return void outgoing.end(content);
		const { cutAfter, meanwhile } = fate;
		await meanwhile?.();
		// Waits for the part to be on its way: what is destroyed at once may never leave.
		await new Promise<void>((sent) => outgoing.write(content.subarray(0, cutAfter), () => sent()));
		setTimeout(() => incoming.socket.destroy(), 100);
	}

	async #forward(incoming: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
		const headers = { ...incoming.headers };
		// Answered by this server already.
		delete headers.expect;
		const { hostname, port } = this.#upstream;
		const { method, url } = incoming;
		const sent = request({ hostname, port, method, path: url, headers, agent: this.#agent });
		sent.end(body);
		const [answer] = (await once(sent, "response")) as [IncomingMessage];
		return answer;
	}
}

function answerError(
	outgoing: ServerResponse,
	{ status, code }: { status: number; code: string },
	method: string,
): void {
	outgoing.writeHead(status, XML);
	const xml = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>as the test says</Message></Error>`;
	outgoing.end(method === "HEAD" ? undefined : xml);
}
