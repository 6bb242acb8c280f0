import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Headers } from "./hub/headers.js";

/**
 * A GET for a large body, over its own connection, read straight from the socket into memory that is reused.
 * Node's streams allocate anew for every 64 KiB: on loopback, hashing and writing included, they took 0.83 ms of CPU
 * time for 330 KB, against 0.49 ms here (docs/decisions/0004-speed.md).
 */

export interface DirectOptions {
	headers: Record<string, string>;
	signal: AbortSignal;
	lookup: LookupFunction;
	/** Longest silence, in milliseconds. */
	idle: number;
	/** Longest time to connect, in milliseconds. */
	connect: number;
}

export interface DirectAnswer {
	statusCode: number;
	headers: Headers;
	body: DirectBody;
}

const BLOCK_BYTES = 256 * 1024;
/** Free bytes in a block below which another block is read into. */
const MIN_READ_BYTES = 16 * 1024;
/** A longer head is not that of an HTTP response. */
const MAX_HEAD_BYTES = 64 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");

/**
 * Null where the body has a transfer coding (RFC 9112, 7.1), which needs a full HTTP client. Throws the system's own
 * errors.
 */
export async function getDirectly(url: URL, options: DirectOptions): Promise<DirectAnswer | null> {
	const connection = new Connection(url, options);
	try {
		const lines = Object.entries({ ...options.headers, host: url.host, connection: "close" });
		connection.write(
			`GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
		);
		let head = await readHead(connection);
		// 1xx is interim: the final response follows.
		while (head.statusCode < 200) head = await readHead(connection);
		const length = head.headers["content-length"];
		if (head.headers["transfer-encoding"] === undefined && (length === undefined || /^\d+$/.test(String(length)))) {
			return { ...head, body: new DirectBody(connection, length === undefined ? null : Number(length)) };
		}
	} catch (error) {
		connection.destroy();
		throw error;
	}
	connection.destroy();
	return null;
}

/** A body's bytes, in order. Each chunk is valid until the next one is requested. */
export class DirectBody implements AsyncIterable<Buffer> {
	readonly #connection: Connection;
	readonly #length: number | null;

	/** @param length as announced; null: to the end of the connection */
	constructor(connection: Connection, length: number | null) {
		this.#connection = connection;
		this.#length = length;
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
		let left = this.#length ?? Number.POSITIVE_INFINITY;
		try {
			while (left > 0) {
				const chunk = await this.#connection.next();
				if (chunk === null) {
					if (this.#length === null) return;
					throw failure("ECONNRESET", `the connection ended ${left} bytes early`);
				}
				yield chunk.length > left ? chunk.subarray(0, left) : chunk;
				left -= chunk.length;
			}
		} finally {
			this.destroy();
		}
	}

	destroy(): void {
		this.#connection.destroy();
	}

	/** Nothing to drain: the connection serves one request. */
	async dump(): Promise<void> {
		this.destroy();
	}
}

/** The part of a block that one read filled. */
interface Piece {
	block: Buffer<ArrayBuffer>;
	from: number;
	to: number;
}

/** A socket read on demand into two alternating blocks of memory; into new ones only while many pieces wait. */
class Connection {
	readonly #socket: Socket;
	#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
	/** End of the bytes read into `#block`. */
	#filled = 0;
	#spareBlock: Buffer<ArrayBuffer> | null = null;
	/** Read, and not yet returned by `next`. */
	readonly #pieces: Piece[] = [];
	/** Bytes of the body that were read with the head. */
	#putBackBytes: Buffer | null = null;
	/** What `next` returned last: its block is still in use. */
	#inUse: Piece | null = null;
	#timeout: number;
	#ended = false;
	#error: Error | null = null;
	#wake: () => void = () => undefined;

	constructor(url: URL, { signal, lookup, idle, connect }: DirectOptions) {
		const secure = url.protocol === "https:";
		const host = url.hostname.replace(/^\[|\]$/g, "");
		const port = Number(url.port || (secure ? 443 : 80));
		const onread = { buffer: () => this.#readBuffer(), callback: (bytes: number) => this.#received(bytes) };
		const where = { host, port, lookup, onread };
		this.#socket = secure
			? connectTls({ ...where, ...(isIP(host) ? {} : { servername: host }), ALPNProtocols: ["http/1.1"] })
			: connectTcp(where);
		this.#timeout = connect;
		this.#socket.once(secure ? "secureConnect" : "connect", () => {
			this.#timeout = idle;
			this.#socket.setTimeout(idle);
		});
		this.#socket.on("timeout", () => {
			this.#fail(failure(this.#socket.connecting ? "CONNECT_TIMEOUT" : "IDLE_TIMEOUT", "nothing came in time"));
		});
		this.#socket.on("error", (error) => this.#fail(error));
		this.#socket.on("end", () => this.#end());
		const abort = () => this.#fail(failure("ABORT_ERR", "aborted"));
		signal.addEventListener("abort", abort, { once: true });
		this.#socket.on("close", () => {
			signal.removeEventListener("abort", abort);
			this.#end();
		});
		if (signal.aborted) abort();
	}

	write(text: string): void {
		this.#socket.write(text, "latin1");
	}

	destroy(): void {
		this.#socket.destroy();
	}

	/** Returns bytes that do not belong to the head; valid until the next read. */
	putBack(rest: Buffer): void {
		this.#putBackBytes = rest.length > 0 ? rest : null;
	}

	/** The next bytes, or null at the end; valid until the next call. */
	async next(): Promise<Buffer | null> {
		const unread = this.#putBackBytes;
		this.#putBackBytes = null;
		if (unread !== null) return unread;
		this.#recycle();
		while (this.#pieces.length === 0) {
			if (this.#error !== null) throw this.#error;
			if (this.#ended) return null;
			const woken = new Promise<void>((resolve) => {
				this.#wake = resolve;
			});
			// Only while the caller waits: a slow consumer is not a silent server.
			this.#socket.setTimeout(this.#timeout);
			this.#socket.resume();
			await woken;
			this.#socket.setTimeout(0);
		}
		const piece = this.#pieces.shift() as Piece;
		this.#inUse = piece;
		return piece.block.subarray(piece.from, piece.to);
	}

	/** Releases the piece returned last: its block is reused, unless other pieces in it still wait. */
	#recycle(): void {
		const block = this.#inUse?.block;
		this.#inUse = null;
		if (block === undefined || block === this.#block || this.#pieces.some((piece) => piece.block === block)) return;
		this.#spareBlock = block;
	}

	/** Where the next read goes: behind the last one, or into another block. */
	#readBuffer(): Buffer {
		if (this.#block.length - this.#filled < MIN_READ_BYTES) {
			this.#block = this.#spareBlock ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
			this.#spareBlock = null;
			this.#filled = 0;
		}
		return this.#block.subarray(this.#filled);
	}

	/** Returns false, which pauses reading until `next` resumes it; bytes that TLS has decrypted already may still follow. */
	#received(bytes: number): boolean {
		this.#pieces.push({ block: this.#block, from: this.#filled, to: this.#filled + bytes });
		this.#filled += bytes;
		this.#wake();
		return false;
	}

	#fail(error: Error): void {
		this.#error ??= error;
		this.#socket.destroy();
		this.#wake();
	}

	#end(): void {
		this.#ended = true;
		this.#wake();
	}
}

async function readHead(connection: Connection): Promise<{ statusCode: number; headers: Headers }> {
	let head = Buffer.alloc(0);
	for (;;) {
		const chunk = await connection.next();
		if (chunk === null) throw failure("ECONNRESET", "the connection ended before an answer");
		head = Buffer.concat([head, chunk]);
		const end = head.indexOf(HEAD_END);
		if (end >= 0) {
			connection.putBack(head.subarray(end + HEAD_END.length));
			return parseHead(head.toString("latin1", 0, end));
		}
		if (head.length > MAX_HEAD_BYTES) throw failure("HPE_HEADER_OVERFLOW", "the answer's head never ends");
	}
}

/** Status and headers, names in lower case (RFC 9112, 4 and 5). */
function parseHead(text: string): { statusCode: number; headers: Headers } {
	const [first = "", ...lines] = text.split("\r\n");
	const [, status] = /^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/.exec(first) ?? [];
	if (status === undefined) throw failure("HPE_INVALID_CONSTANT", "the answer is not HTTP");
	const headers: Record<string, string | string[]> = {};
	for (const line of lines) {
		const [, name, value = ""] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
		if (name === undefined) throw failure("HPE_INVALID_HEADER_TOKEN", "the answer's head is damaged");
		const key = name.toLowerCase();
		const had = headers[key];
		headers[key] = had === undefined ? value : [had, value].flat();
	}
	return { statusCode: Number(status), headers };
}

function failure(code: string, message: string): Error {
	return Object.assign(new Error(message), { code });
}
