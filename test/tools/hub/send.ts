import { read } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { Answer } from "./answer.js";
import type { Content } from "./content.js";
import type { CountBytes } from "./counters.js";
import { delivered } from "./delivered.js";
import type { Fault } from "./faults.js";
import { compress } from "./spoil.js";

/** One read and one write each: 1 MiB costs 0.7 to 1.2 CPU seconds per GiB here, 256 KiB up to 1.5, 64 KiB 1.7 and more. */
const CHUNK = 1024 * 1024;
/** With a limit: how long one chunk takes, so that a slow download moves in small steps. */
const STEP_SECONDS = 0.02;

export interface Delivery {
	/** Called with the status that goes out. */
	status: (status: number) => void;
	/** Called when a body begins; `first` is the file's offset, or null if it is no file's content. */
	count: (first: number | null) => CountBytes;
	fault: Fault | null;
	bytesPerSecond: number | null;
}

/** `[first, end)` of a single range, "unsatisfiable", or null where the whole is to be sent (RFC 9110, 14.1.2). */
export function parseRange(header: string | undefined, size: number): [number, number] | "unsatisfiable" | null {
	const match = header === undefined ? null : /^bytes=(\d*)-(\d*)$/.exec(header);
	if (match === null) return null;
	const [, from = "", to = ""] = match;
	if (from === "" && to === "") return null;
	if (from === "") return Number(to) === 0 || size === 0 ? "unsatisfiable" : [Math.max(0, size - Number(to)), size];
	if (to !== "" && Number(to) < Number(from)) return null;
	if (Number(from) >= size) return "unsatisfiable";
	return [Number(from), to === "" ? size : Math.min(size, Number(to) + 1)];
}

/** The answer to a request for part of a file. */
function applyRange(
	request: IncomingMessage,
	answer: Answer,
	ignore: boolean,
): { answer: Answer; first: number; end: number } {
	const { body } = answer;
	if (Buffer.isBuffer(body)) return { answer, first: 0, end: body.length };
	const unchanged = request.headers["if-range"] === undefined || request.headers["if-range"] === answer.headers.ETag;
	const range = unchanged && !ignore ? parseRange(request.headers.range, body.size) : null;
	if (range === null) return { answer, first: 0, end: body.size };
	if (range === "unsatisfiable") {
		const headers = { ...answer.headers, "Content-Range": `bytes */${body.size}` };
		return { answer: { status: 416, headers, body: Buffer.alloc(0) }, first: 0, end: 0 };
	}
	const [first, end] = range;
	const headers = { ...answer.headers, "Content-Range": `bytes ${first}-${end - 1}/${body.size}` };
	return { answer: { ...answer, status: 206, headers }, first, end };
}

/** Sends an answer, a part of it if a range was asked for, spoiled by the fault if there is one. Never throws. */
export async function send(
	request: IncomingMessage,
	response: ServerResponse,
	plain: Answer,
	by: Delivery,
): Promise<void> {
	const { fault } = by;
	const ranged = applyRange(request, plain, fault?.kind === "ignore-range");
	const { answer, first, end } = fault?.kind === "gzip" ? compressed(ranged) : ranged;
	const length = end - first;
	const cut = fault !== null && CUTS.has(fault.kind) ? Math.min(length, fault.bytes ?? 0) : length;
	const more = fault?.kind === "overlong" ? Buffer.alloc(fault.bytes ?? 1, "more") : Buffer.alloc(0);
	const announced = (fault?.kind === "truncate" ? cut : length) + more.length;
	const noBody = answer.status === 304 || answer.status === 204;
	by.status(answer.status);
	response.statusCode = answer.status;
	// One by one, so that a fault's header replaces the usual one whatever its case.
	for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, value);
	if (!noBody) response.setHeader("Content-Length", announced);
	if (request.method === "HEAD" || noBody) {
		response.end();
		return;
	}
	const isFile = !Buffer.isBuffer(answer.body);
	const count = by.count(isFile ? first : null);
	const spoilt = fault?.kind === "wrong-bytes" ? first + (fault.bytes ?? 0) : null;
	const whole = await sendBody(response, answer.body, first, first + cut, { ...by, spoilt, written: count });
	if (!whole || (more.length > 0 && !(await writeAll(response, more)))) response.destroy();
	else await finish(response, fault);
}

/** Ends the answer in the fault's way. */
async function finish(response: ServerResponse, fault: Fault | null): Promise<void> {
	const { socket } = response;
	if (fault?.kind === "stall-after") return;
	if (fault?.kind === "end-early") socket?.end();
	else if (fault?.kind === "reset-after" && socket !== null) {
		await delivered(socket);
		socket.resetAndDestroy();
	} else response.end();
}

/** Faults that let only the first bytes of a body go out. */
const CUTS = new Set<Fault["kind"]>(["reset-after", "end-early", "truncate", "stall-after"]);

function compressed({ answer, first, end }: ReturnType<typeof applyRange>): ReturnType<typeof applyRange> {
	const packed = compress(answer, first, end);
	return { answer: packed, first: 0, end: (packed.body as Buffer).length };
}

interface BodyOptions {
	bytesPerSecond: number | null;
	/** Offset of the byte to invert. */
	spoilt: number | null;
	written: CountBytes;
}

/** Writes `[first, end)` of the body; false if the client went away or the file could not be read. */
async function sendBody(
	response: ServerResponse,
	body: Buffer | Content,
	first: number,
	end: number,
	{ bytesPerSecond, spoilt, written }: BodyOptions,
): Promise<boolean> {
	response.flushHeaders();
	const step = bytesPerSecond === null ? CHUNK : Math.ceil(Math.min(CHUNK, bytesPerSecond * STEP_SECONDS));
	const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(step, end - first)));
	const began = performance.now();
	for (let at = first; at < end; ) {
		const wanted = Math.min(buffer.length, end - at);
		const got = Buffer.isBuffer(body)
			? body.copy(buffer, 0, at, at + wanted)
			: await readAt(body.fd, buffer, wanted, at);
		if (got === 0) return false;
		if (spoilt !== null && spoilt >= at && spoilt < at + got) buffer[spoilt - at] = ~(buffer[spoilt - at] ?? 0) & 0xff;
		// One buffer is enough: it is used again only when the system has taken all of it.
		if (!(await writeAll(response, buffer.subarray(0, got)))) return false;
		written(got);
		at += got;
		if (bytesPerSecond !== null) {
			const due = began + ((at - first) / bytesPerSecond) * 1000;
			await wait(Math.max(0, due - performance.now()));
		}
	}
	return true;
}

/** Bytes read at `position`; 0 at the end of the file and on an error alike. */
function readAt(fd: number, buffer: Buffer, length: number, position: number): Promise<number> {
	return new Promise((done) => read(fd, buffer, 0, length, position, (error, got) => done(error === null ? got : 0)));
}

/** False if the connection is gone. */
function writeAll(response: ServerResponse, bytes: Buffer): Promise<boolean> {
	return new Promise((done) => {
		if (response.destroyed || response.socket === null) return done(false);
		const onClose = () => done(false);
		response.once("close", onClose);
		response.write(bytes, (error) => {
			response.off("close", onClose);
			done(error === undefined || error === null);
		});
	});
}
