import type { SourceFile, SourcePin } from "../../../../pipelines/ports/source.js";
import { checkLinked, destroyBody, exactBytes, fileSubject, refuseCompressed, refuseStandIn } from "./body.js";
import { notTheHub, type Subject, unavailable } from "./errors.js";
import { header, isHtml } from "./headers.js";
import type { HubAnswer, HubHttp } from "./http.js";

/** Reads a part of one file, from a response that says it is that part of the listed file only. */

interface RangeRead {
	/** The file's address at the pinned commit. */
	url: URL;
	file: SourceFile;
	pin: SourcePin;
	/** Offsets, `to` exclusive; at least one byte, all within the file. */
	from: number;
	to: number;
	signal: AbortSignal;
}

/**
 * One attempt. Bytes that came before an error are yielded before it. The endpoint is asked once a file: `addresses`
 * caches the URL that it redirects to, by the file's path, until that URL fails or expires.
 */
export async function* readHubRange(
	http: HubHttp,
	wanted: RangeRead,
	addresses: Map<string, URL>,
): AsyncGenerator<Buffer> {
	const { url, file, pin, from, to, signal } = wanted;
	const subject = fileSubject(file, pin);
	// Not `large`: for many small parts, reused connections matter more than reused memory.
	const request = { subject, signal, headers: { range: `bytes=${from}-${to - 1}` } };
	const known = addresses.get(file.path) ?? null;
	let answer: HubAnswer | null = null;
	try {
		// A cached signed URL may have expired, and a new one may expire before it is used: each is replaced once.
		answer = await http.openFirst([...(known === null ? [] : [known]), url, url], request);
		if (isHtml(answer.headers)) throw notTheHub(http.endpoint, subject, "it sent a web page");
		// A cached address was checked when the endpoint gave it.
		if (answer.linked.commit !== null || known === null) {
			checkLinked(answer.linked, file, pin, http.endpoint);
		}
		await requireRange(answer, wanted, http.endpoint, subject);
		if (answer.elsewhere) addresses.set(file.path, answer.url);
		yield* exactBytes(answer.body, to - from, http.endpoint, subject);
	} catch (error) {
		if (known !== null && addresses.get(file.path) === known) addresses.delete(file.path);
		throw http.explain(error, request, answer?.host ?? http.endpoint.host);
	} finally {
		if (answer !== null) destroyBody(answer);
	}
}

/** Throws unless the answer is exactly the part asked for, of a file of the listed size (RFC 9110, 15.3.7). */
async function requireRange(answer: HubAnswer, wanted: RangeRead, endpoint: URL, subject: Subject): Promise<void> {
	const { status, headers } = answer;
	const { file, from, to } = wanted;
	if (status !== 206) {
		// A stand-in has errors of its own; of a whole file, only the start is read.
		if (status === 200)
			for await (const start of answer.body as AsyncIterable<Buffer>) {
				refuseStandIn(start, file, endpoint, subject);
				break;
			}
		throw unavailable(endpoint, subject, `it answered ${status} to a request for bytes ${from} to ${to}`, {
			hint: "If HF_ENDPOINT names a mirror of the Hub that sends no parts of files, use another, or mirror without --where.",
		});
	}
	refuseCompressed(headers, endpoint, subject);
	const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header(headers, "content-range") ?? "") ?? [];
	const right = Number(first) === from && Number(last) === to - 1 && (total === "*" || Number(total) === file.bytes);
	if (!right) throw unavailable(endpoint, subject, `it sent another part than bytes ${from} to ${to}`);
}
