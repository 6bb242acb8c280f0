import type { SourceFile, SourcePin } from "../../../pipelines/ports/source.js";
import { header, isHtml, notTheHub, type Subject, unavailable } from "./hub-errors.js";
import { checkLinked, endBody, exactly, refuseCompressed, refuseStandIn } from "./hub-file.js";
import type { Ask, HubAnswer, HubHttp } from "./hub-http.js";

/** A part of one file: taken only from an answer that says it is that part of the listed file. */

export interface WantedRange {
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
 * One attempt. What came before an error is given first. The endpoint is asked once a file: `addresses` keeps where it
 * sent us, by the file's path, until that address fails or runs out.
 */
export async function* readHubRange(
	http: HubHttp,
	wanted: WantedRange,
	addresses: Map<string, URL>,
): AsyncGenerator<Buffer> {
	const { file, pin, from, to, signal } = wanted;
	const subject = { repo: pin.repo, revision: pin.commit, file: file.path };
	// Not `large`: a connection that serves again is worth more to many small parts than memory that does.
	const ask = { subject, signal, headers: { range: `bytes=${from}-${to - 1}` } };
	const known = addresses.get(file.path) ?? null;
	let answer: HubAnswer | null = null;
	try {
		answer = await openRange(http, wanted, ask, known);
		if (isHtml(answer.headers)) throw notTheHub(http.endpoint, subject, "it sent a web page");
		// An address that was kept has been checked when the endpoint gave it.
		if (answer.linked.commit !== null || known === null) {
			checkLinked(answer.linked, file, pin, http.endpoint, subject);
		}
		await requireRange(answer, wanted, http.endpoint, subject);
		if (answer.elsewhere) addresses.set(file.path, answer.url);
		yield* exactly(answer.body, to - from, http.endpoint, subject);
	} catch (error) {
		if (known !== null && addresses.get(file.path) === known) addresses.delete(file.path);
		throw http.explain(error, ask, answer?.host ?? http.endpoint.host);
	} finally {
		if (answer !== null) endBody(answer);
	}
}

/** A signed address that was kept may have run out, and even a new one before its use: each is asked for anew, once. */
async function openRange(http: HubHttp, { url }: WantedRange, ask: Ask, known: URL | null): Promise<HubAnswer> {
	for (const address of [...(known === null ? [] : [known]), url, url]) {
		const answer = await http.open(address, ask);
		if (answer.status !== 403) return answer;
		answer.body.dump().catch(() => undefined);
	}
	throw unavailable(http.endpoint, ask.subject, "its file store refuses the signed address");
}

/** Throws unless the answer is exactly the part asked for, of a file of the listed size (RFC 9110, 15.3.7). */
async function requireRange(answer: HubAnswer, wanted: WantedRange, endpoint: URL, subject: Subject): Promise<void> {
	const { status, headers } = answer;
	const { file, from, to } = wanted;
	if (status !== 206) {
		// A stand-in is told as such; of a whole file no more than its start is taken.
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
