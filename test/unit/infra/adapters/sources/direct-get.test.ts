import { randomBytes } from "node:crypto";
import { lookup } from "node:dns";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import { afterEach, describe, expect, test } from "@jest/globals";
import {
	type DirectAnswer,
	type DirectOptions,
	getDirectly,
} from "../../../../../infra/adapters/sources/direct-get.js";
import { ROOT } from "../../../../support/root.js";

const BODY = randomBytes(3_000_000);
const OPTIONS: DirectOptions = {
	headers: { range: "bytes=5-" },
	signal: new AbortController().signal,
	lookup,
	idle: 5000,
	connect: 5000,
};
const closing: (() => void)[] = [];
afterEach(() => {
	for (const close of closing.splice(0)) close();
});

/** A server that hands each connection, with the request's head, to `answer`. */
async function serve(answer: (socket: Socket, head: string) => void, server: Server = createServer()): Promise<number> {
	const sockets = new Set<Socket>();
	server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		socket.once("data", (head: Buffer) => answer(socket, head.toString("latin1")));
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	closing.push(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return (server.address() as AddressInfo).port;
}

function get(port: number, options: Partial<DirectOptions> = {}): Promise<DirectAnswer | null> {
	return getDirectly(new URL(`http://127.0.0.1:${port}/zip?signed=1`), { ...OPTIONS, ...options });
}

/** The whole body; `pause` comes between taking a piece and copying it. */
async function bytesOf(answer: DirectAnswer | null, pause?: () => Promise<void>): Promise<Buffer> {
	if (answer === null) throw new Error("no direct answer");
	const pieces: Buffer[] = [];
	for await (const piece of answer.body) {
		await pause?.();
		pieces.push(Buffer.from(piece));
	}
	return Buffer.concat(pieces);
}

const HEAD = `HTTP/1.1 206 Partial Content\r\nContent-Length: ${BODY.length}\r\nX-Two: a\r\nx-two: b\r\n\r\n`;

describe("a body comes as it was sent", () => {
	test("with status and headers, to a request that names the range", async () => {
		let asked = "";
		const port = await serve((socket, head) => {
			asked = head;
			socket.end(Buffer.concat([Buffer.from(HEAD), BODY]));
		});
		const answer = await get(port);
		expect(answer).toMatchObject({ statusCode: 206, headers: { "content-length": "3000000", "x-two": ["a", "b"] } });
		expect((await bytesOf(answer)).equals(BODY)).toBe(true);
		expect(asked).toMatch(/^GET \/zip\?signed=1 HTTP\/1\.1\r\n/);
		expect(asked).toContain("\r\nrange: bytes=5-\r\n");
		expect(asked).toContain(`\r\nhost: 127.0.0.1:${port}\r\n`);
	});

	test("byte by byte at its head, and to a reader that takes its time", async () => {
		const port = await serve(async (socket) => {
			socket.setNoDelay(true);
			for (const byte of Buffer.from(HEAD)) {
				socket.write(Buffer.of(byte));
				await new Promise(setImmediate);
			}
			socket.end(BODY);
		});
		const slowly = () => new Promise<void>((resolve) => setTimeout(resolve, 2));
		expect((await bytesOf(await get(port), slowly)).equals(BODY)).toBe(true);
	});

	test("to a reader that takes longer than any silence may last", async () => {
		const port = await serve((socket) => socket.end(Buffer.concat([Buffer.from(HEAD), BODY])));
		let paused = false;
		const once = async () => {
			if (!paused) await new Promise((resolve) => setTimeout(resolve, 300));
			paused = true;
		};
		expect((await bytesOf(await get(port, { idle: 100 }), once)).equals(BODY)).toBe(true);
	});

	test("behind an answer that only announces it", async () => {
		const port = await serve((socket) =>
			socket.end(`HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi`),
		);
		const answer = await get(port);
		expect(answer?.statusCode).toBe(200);
		expect(`${await bytesOf(answer)}`).toBe("hi");
	});

	test("up to the connection's end, where no length is told", async () => {
		const port = await serve((socket) => socket.end("HTTP/1.0 200 OK\r\n\r\nall there is"));
		expect(`${await bytesOf(await get(port))}`).toBe("all there is");
	});

	test("and no further than its length", async () => {
		const port = await serve((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef"));
		expect(`${await bytesOf(await get(port))}`).toBe("abc");
	});
});

test("a body with a framing of its own is left to a full client", async () => {
	const port = await serve((socket) =>
		socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
	);
	expect(await get(port)).toBeNull();
});

describe("what goes wrong has a code", () => {
	test("a certificate that nobody vouches for", async () => {
		const [key, cert] = ["key.pem", "cert.pem"].map((name) => readFileSync(join(ROOT, "test/fixtures/tls", name)));
		const port = await serve((socket) => socket.end(HEAD), createTlsServer({ key, cert }));
		const asked = getDirectly(new URL(`https://localhost:${port}/zip`), OPTIONS);
		await expect(asked).rejects.toMatchObject({ code: expect.stringMatching(/CERT|SIGNED|ISSUER|SIGNATURE/) });
	});

	test.each([
		["an end in mid-body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "ECONNRESET"],
		["an end in the head", "HTTP/1.1 200 OK\r\nContent-Le", "ECONNRESET"],
		["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HPE_INVALID_CONSTANT"],
		["a damaged head", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HPE_INVALID_HEADER_TOKEN"],
		["a head without end", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`, "HPE_HEADER_OVERFLOW"],
	])("%s", async (_, sent, code) => {
		const port = await serve((socket) => socket.end(sent));
		await expect(get(port).then((answer) => bytesOf(answer))).rejects.toMatchObject({ code });
	});

	test("silence in the body", async () => {
		const port = await serve((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
		const answer = await get(port, { idle: 100 });
		await expect(bytesOf(answer)).rejects.toMatchObject({ code: "IDLE_TIMEOUT" });
	});

	test("nobody there", async () => {
		const port = await serve(() => {});
		for (const close of closing.splice(0)) close();
		await expect(get(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
	});

	test("an abort, before and while it reads", async () => {
		const port = await serve((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
		await expect(get(port, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORT_ERR" });
		const later = new AbortController();
		const answer = await get(port, { signal: later.signal });
		const reading = bytesOf(answer);
		later.abort();
		await expect(reading).rejects.toMatchObject({ code: "ABORT_ERR" });
	});
});
