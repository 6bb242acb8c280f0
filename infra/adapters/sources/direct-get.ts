import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Headers } from "./hub-errors.js";

/**
 * A GET for a large body, over a connection of its own, straight from the socket into memory that is used again.
 * Node's streams give each 64 KiB new memory, which the collector takes back later: measured on loopback, hash and
 * write included, they cost 0.83 ms of CPU time for 330 KB, this 0.49 ms (docs/decisions/0004-speed.md).
 */

export interface DirectOptions {
	headers: Record<string, string>;
	signal: AbortSignal;
	lookup: LookupFunction;
	/** Longest silence in milliseconds. */
	idle: number;
	/** Longest time in milliseconds to connect. */
	connect: number;
}

export interface DirectAnswer {
	statusCode: number;
	headers: Headers;
	body: DirectBody;
}

const BLOCK_BYTES = 256 * 1024;
/** The least room that is worth a read. */
const LEAST_ROOM = 16 * 1024;
/** More is no head of an HTTP answer. */
const MAX_HEAD_BYTES = 64 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");

/** Null where the body comes in pieces of its own framing (RFC 9112, 7.1): that is for a full HTTP client. Throws the system's errors. */
export async function getDirectly(url: URL, options: DirectOptions): Promise<DirectAnswer | null> {
	const connection = new Connection(url, options);
	try {
		const lines = Object.entries({ ...options.headers, host: url.host, connection: "close" });
		connection.write(
			`GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
		);
		let head = await readHead(connection);
		// 1xx announces the answer proper.
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

/** A body's bytes in order. Each chunk is valid until the next one is asked for. */
export class DirectBody implements AsyncIterable<Buffer> {
	/** @param length as announced; null: until the connection ends */
	constructor(
		private readonly connection: Connection,
		private readonly length: number | null,
	) {}

	async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
		let left = this.length ?? Number.POSITIVE_INFINITY;
		try {
			while (left > 0) {
				const chunk = await this.connection.next();
				if (chunk === null) {
					if (this.length === null) return;
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
		this.connection.destroy();
	}

	/** There is nothing to keep: the connection serves once. */
	async dump(): Promise<void> {
		this.destroy();
	}
}

/** What one read gave: a piece of a block. */
interface Piece {
	block: Buffer<ArrayBuffer>;
	from: number;
	to: number;
}

/** A socket that is read on demand, in turn into two blocks of memory, or into new ones where many pieces wait. */
class Connection {
	private readonly socket: Socket;
	private block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
	/** End of what was read into `block`. */
	private filled = 0;
	private spare: typeof this.block | null = null;
	/** Read and not yet taken. */
	private readonly pieces: Piece[] = [];
	/** What was read too far, when the head was looked for. */
	private unread: Buffer | null = null;
	/** Whose block is in use by whoever took it last. */
	private taken: Piece | null = null;
	private limit: number;
	private ended = false;
	private failed: Error | null = null;
	private wake: () => void = () => undefined;

	constructor(url: URL, { signal, lookup, idle, connect }: DirectOptions) {
		const secure = url.protocol === "https:";
		const host = url.hostname.replace(/^\[|\]$/g, "");
		const port = Number(url.port || (secure ? 443 : 80));
		const onread = { buffer: () => this.room(), callback: (bytes: number) => this.take(bytes) };
		const where = { host, port, lookup, onread };
		this.socket = secure
			? connectTls({ ...where, ...(isIP(host) ? {} : { servername: host }), ALPNProtocols: ["http/1.1"] })
			: connectTcp(where);
		this.limit = connect;
		this.socket.once(secure ? "secureConnect" : "connect", () => {
			this.limit = idle;
			this.socket.setTimeout(idle);
		});
		this.socket.on("timeout", () => {
			this.fail(failure(this.socket.connecting ? "CONNECT_TIMEOUT" : "IDLE_TIMEOUT", "nothing came in time"));
		});
		this.socket.on("error", (error) => this.fail(error));
		this.socket.on("end", () => this.end());
		const abort = () => this.fail(failure("ABORT_ERR", "aborted"));
		signal.addEventListener("abort", abort, { once: true });
		this.socket.on("close", () => {
			signal.removeEventListener("abort", abort);
			this.end();
		});
		if (signal.aborted) abort();
	}

	write(text: string): void {
		this.socket.write(text, "latin1");
	}

	destroy(): void {
		this.socket.destroy();
	}

	/** Gives back what does not belong to the head; valid until the next read. */
	putBack(rest: Buffer): void {
		this.unread = rest.length > 0 ? rest : null;
	}

	/** The next bytes, or null at the end. They are valid until the next call. */
	async next(): Promise<Buffer | null> {
		const { unread } = this;
		this.unread = null;
		if (unread !== null) return unread;
		this.recycle();
		while (this.pieces.length === 0) {
			if (this.failed !== null) throw this.failed;
			if (this.ended) return null;
			const woken = new Promise<void>((resolve) => {
				this.wake = resolve;
			});
			// Only while somebody waits: whoever takes its time is no silence of the other side.
			this.socket.setTimeout(this.limit);
			this.socket.resume();
			await woken;
			this.socket.setTimeout(0);
		}
		const piece = this.pieces.shift() as Piece;
		this.taken = piece;
		return piece.block.subarray(piece.from, piece.to);
	}

	/** What was taken last is done with: its block may serve again, unless something in it still waits. */
	private recycle(): void {
		const block = this.taken?.block;
		this.taken = null;
		if (block === undefined || block === this.block || this.pieces.some((piece) => piece.block === block)) return;
		this.spare = block;
	}

	/** Where the next read goes: behind the last one, or into another block. */
	private room(): Buffer {
		if (this.block.length - this.filled < LEAST_ROOM) {
			this.block = this.spare ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
			this.spare = null;
			this.filled = 0;
		}
		return this.block.subarray(this.filled);
	}

	/** Stops reading (false) until somebody asks; a little that is decrypted already may still come. */
	private take(bytes: number): boolean {
		this.pieces.push({ block: this.block, from: this.filled, to: this.filled + bytes });
		this.filled += bytes;
		this.wake();
		return false;
	}

	private fail(error: Error): void {
		this.failed ??= error;
		this.socket.destroy();
		this.wake();
	}

	private end(): void {
		this.ended = true;
		this.wake();
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
