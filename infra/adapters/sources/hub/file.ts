import type { SourceFile, SourcePin } from "../../../../pipelines/ports/source.js";
import { checkLinked, destroyBody, exactBytes, fileSubject, refuseCompressed, refuseStandIn } from "./body.js";
import { notTheHub, unavailable } from "./errors.js";
import { header, isHtml } from "./headers.js";
import type { HubAnswer, HubHttp } from "./http.js";

/** Reads one file, whole or from an offset on, from a response that fits the listing only. */

interface FileRead {
	/** The file's address at the pinned commit. */
	url: URL;
	file: SourceFile;
	pin: SourcePin;
	offset: number;
	signal: AbortSignal;
	/** Called before the first byte if the response begins at 0 although the rest was asked for. */
	restart: () => void;
}

/** One attempt. Bytes that came before an error are yielded before it. */
export async function* readHubFile(http: HubHttp, wanted: FileRead): AsyncGenerator<Buffer> {
	const { url, file, pin, offset, signal, restart } = wanted;
	const { endpoint } = http;
	const subject = fileSubject(file, pin);
	const request = { subject, signal, large: true, headers: offset > 0 ? { range: `bytes=${offset}-` } : {} };
	// A signed URL may expire before it is used: then a new one is asked for, once.
	const answer = await http.openFirst([url, url], request);
	try {
		if (isHtml(answer.headers)) throw notTheHub(endpoint, subject, "it sent a web page");
		checkLinked(answer.linked, file, pin, endpoint);
		const resumed = startsAtOffset(answer, wanted, endpoint);
		const from = resumed ? offset : 0;
		let first = true;
		for await (const chunk of exactBytes(answer.body, file.bytes - from, endpoint, subject)) {
			if (first && from === 0) refuseStandIn(chunk, file, endpoint, subject);
			if (first && !resumed) restart();
			first = false;
			yield chunk;
		}
	} catch (error) {
		throw http.explain(error, request, answer.host);
	} finally {
		destroyBody(answer);
	}
}

/**
 * Whether the body begins at the offset (true) or at 0 (false). Throws if the response cannot be the rest of the file;
 * ranges are those of RFC 9110. A body announced as too short or too long is accepted: its bytes are right as far as
 * they go, and the hash decides.
 */
function startsAtOffset(answer: HubAnswer, { file, pin, offset }: FileRead, endpoint: URL): boolean {
	const { status, headers } = answer;
	const subject = fileSubject(file, pin);
	const ranged = status === 206;
	if ((!ranged && status !== 200) || (ranged && offset === 0)) {
		throw unavailable(endpoint, subject, `it answered ${status} to a request for bytes from ${offset} on`);
	}
	refuseCompressed(headers, endpoint, subject);
	if (ranged) {
		const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(header(headers, "content-range") ?? "") ?? [];
		if (Number(start) !== offset || (total !== "*" && Number(total) !== file.bytes)) {
			throw unavailable(endpoint, subject, `it sent another range than the bytes from ${offset} on`);
		}
		return true;
	}
	const length = header(headers, "content-length");
	// The bytes on disk are worth more than a response that is not even the whole file.
	if (offset > 0 && length !== null && Number(length) < file.bytes) {
		throw unavailable(endpoint, subject, `it announced ${length} bytes where ${file.bytes} were due`);
	}
	return offset === 0;
}
