import { readSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type Answer, TEXT } from "./answer.js";
import { type Content, pointer } from "./content.js";
import type { Fault } from "./faults.js";
import { DENIED } from "./files.js";

/** Answers that a fault puts in the right one's place, or changes as a whole. */

const PORTAL = `<!DOCTYPE html>
<html><head><title>Guest network</title></head><body><form>Please log in to the network.</form></body></html>
`;

/** The answer that goes out in place of the right one. Faults of the body are `send`'s matter. */
export function spoil(answer: Answer, fault: Fault | null): Answer {
	switch (fault?.kind) {
		case "status": {
			const headers = { "Content-Type": TEXT, ...fault.headers };
			return { status: fault.status ?? 500, headers, body: Buffer.from("The test asked for this answer.\n") };
		}
		case "portal":
			return { status: 200, headers: { "Content-Type": "text/html" }, body: Buffer.from(PORTAL) };
		case "expired":
			return { status: 403, headers: { "Content-Type": "application/xml" }, body: Buffer.from(DENIED) };
		case "pointer":
			if (Buffer.isBuffer(answer.body)) return answer;
			return { ...answer, body: pointer(answer.body.sha256, answer.body.size) };
		default:
			return answer;
	}
}

/** `[first, end)` of the body, compressed as a meddling proxy does: the file's range is still said. */
export function compress(answer: Answer, first: number, end: number): Answer {
	const { body } = answer;
	const plain = Buffer.isBuffer(body) ? body.subarray(first, end) : readContent(body, first, end);
	return { ...answer, headers: { ...answer.headers, "Content-Encoding": "gzip" }, body: gzipSync(plain) };
}

function readContent(content: Content, first: number, end: number): Buffer {
	const bytes = Buffer.alloc(end - first);
	for (let at = 0; at < bytes.length; ) {
		const read = readSync(content.fd, bytes, at, bytes.length - at, first + at);
		if (read === 0) throw new Error("a file became shorter while it was read");
		at += read;
	}
	return bytes;
}
