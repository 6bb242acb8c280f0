import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export interface TestProxyOptions {
	/** `user:password` that it wants; none where absent. */
	credentials?: string;
	/** Where names lead that no resolver knows: a port on this machine, by host name. */
	names?: Record<string, number>;
	/** Status with which it answers every CONNECT. */
	refuse?: number;
}

/** A forward proxy: whole addresses of `http:`, tunnels for `https:`. */
export interface TestProxy {
	/** `127.0.0.1:port` */
	host: string;
	/** First lines of the requests it got: `GET http://…`, `CONNECT host:port`. */
	asked: string[];
	stop(): Promise<void>;
}

export async function startProxy(options: TestProxyOptions = {}): Promise<TestProxy> {
	const asked: string[] = [];
	const sockets = new Set<Socket>();
	const welcome = (headers: IncomingMessage["headers"]): boolean => {
		const wanted = options.credentials;
		return wanted === undefined || headers["proxy-authorization"] === `Basic ${Buffer.from(wanted).toString("base64")}`;
	};
	const placeOf = (name: string, port: number): { host: string; port: number } => {
		return { host: "127.0.0.1", port: options.names?.[name] ?? port };
	};
	const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
		asked.push(`${incoming.method} ${incoming.url?.replace(/\?.*/, "")}`);
		if (!welcome(incoming.headers)) return void outgoing.writeHead(407).end();
		const url = new URL(incoming.url ?? "");
		const { "proxy-authorization": _, ...headers } = incoming.headers;
		const passed = request({
			...placeOf(url.hostname, Number(url.port || 80)),
			method: incoming.method,
			path: `${url.pathname}${url.search}`,
			headers,
		});
		passed.once("response", (response) => {
			outgoing.writeHead(response.statusCode ?? 502, response.headers);
			response.pipe(outgoing);
		});
		passed.once("error", () => outgoing.destroy());
		incoming.pipe(passed);
	});
	server.on("connect", (incoming: IncomingMessage, socket: Socket) => {
		asked.push(`CONNECT ${incoming.url}`);
		const status = welcome(incoming.headers) ? options.refuse : 407;
		if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
		const { hostname, port } = new URL(`http://${incoming.url}`);
		const far = connect(placeOf(hostname, Number(port || 80)));
		sockets.add(far);
		far.once("connect", () => {
			socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
			socket.pipe(far).pipe(socket);
		});
		far.on("error", () => socket.destroy());
		socket.on("error", () => far.destroy());
	});
	server.on("connection", (socket) => sockets.add(socket));
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return {
		// `listen` on a host and port makes the address an AddressInfo.
		host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
		asked,
		stop: async () => {
			for (const socket of sockets) socket.destroy();
			await new Promise((done) => server.close(done));
		},
	};
}
