import type { SourceFile, SourcePin } from "../../../pipelines/ports/source.js";
import { LakeError } from "../../../schemas/errors.js";
import { type Headers, header, isHtml, notTheHub, type Subject, unavailable } from "./hub-errors.js";
import type { Ask, HubAnswer, HubHttp } from "./hub-http.js";

/** One file's bytes, or those from an offset on: taken only from an answer that can be what the listing says. */

/** What is to be read, and how. */
export interface Wanted {
	/** The file's address at the pinned commit. */
	url: URL;
	file: SourceFile;
	pin: SourcePin;
	offset: number;
	signal: AbortSignal;
	/** Called before the first byte when the answer begins at 0 though the rest was asked for. */
	restart: () => void;
}

/** How git's pointers to large files begin (git-lfs docs/spec.md). */
const POINTER = "version https://git-lfs.github.com/spec/";
const WEB_PAGE = /^\s*<(!doctype\s+html|html)\b/i;
/** Bytes of a body that tell what it is. */
const SNIFFED = 512;

/** One attempt. What came before an error is given first. */
export async function* readHubFile(http: HubHttp, wanted: Wanted): AsyncGenerator<Buffer> {
	const { url, file, pin, offset, signal, restart } = wanted;
	const subject = { repo: pin.repo, revision: pin.commit, file: file.path };
	const ask = { subject, signal, large: true, headers: offset > 0 ? { range: `bytes=${offset}-` } : {} };
	const answer = await openFile(http, url, ask);
	try {
		if (isHtml(answer.headers)) throw notTheHub(http.endpoint, subject, "it sent a web page");
		checkLinked(answer.linked, file, pin, http.endpoint, subject);
		const resumed = startsAtOffset(answer, file, offset, http.endpoint, subject);
		const from = resumed ? offset : 0;
		let first = true;
		for await (const chunk of exactly(answer.body, file.bytes - from, http.endpoint, subject)) {
			if (first && from === 0) refuseStandIn(chunk, file, http.endpoint, subject);
			if (first && !resumed) restart();
			first = false;
			yield chunk;
		}
	} catch (error) {
		throw http.explain(error, ask, answer.host);
	} finally {
		endBody(answer);
	}
}

/** Destroyed, not drained: what is left may be most of a shard, and its errors interest nobody. */
export function endBody({ body }: HubAnswer): void {
	if ("on" in body) body.on("error", () => undefined);
	body.destroy();
}

/** A signed address may have run out between its making and its use: then it is asked for anew, once. */
async function openFile(http: HubHttp, url: URL, ask: Ask): Promise<HubAnswer> {
	for (let round = 0; round < 2; round++) {
		const answer = await http.open(url, ask);
		if (answer.status !== 403) return answer;
		answer.body.dump().catch(() => undefined);
	}
	throw unavailable(http.endpoint, ask.subject, "its file store refuses the signed address");
}

/** Throws unless the endpoint's own headers say that this is the listed file. */
export function checkLinked(
	linked: HubAnswer["linked"],
	file: SourceFile,
	pin: SourcePin,
	endpoint: URL,
	subject: Subject,
): void {
	if (linked.commit === null) throw notTheHub(endpoint, subject, "its answer names no commit");
	const hash = file.sha256 ?? file.gitOid;
	const differs: string[] = [];
	if (linked.commit !== pin.commit) differs.push(`commit ${linked.commit} instead of ${pin.commit}`);
	if (linked.etag !== null && hash !== null && linked.etag !== hash) differs.push(`hash ${linked.etag}, not ${hash}`);
	if (linked.size !== null && linked.size !== file.bytes) differs.push(`${linked.size} bytes, not ${file.bytes}`);
	if (differs.length > 0) {
		const message = `The Hub at ${endpoint.host} lists ${file.path} otherwise than it serves it: ${differs.join(", ")}.`;
		throw new LakeError("SOURCE_CHANGED", message, { path: file.path });
	}
}

/**
 * Whether the body begins at `offset` (true) or at 0 (false). Throws when the answer cannot be the rest of the file;
 * ranges are those of RFC 9110. A body that is announced shorter or longer is none of that: its bytes are what was
 * asked for as far as they go, and the hash has the last word.
 */
function startsAtOffset(answer: HubAnswer, file: SourceFile, offset: number, endpoint: URL, subject: Subject): boolean {
	const { status, headers } = answer;
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
	// What is on disk already is worth more than an answer that is not even the whole file.
	if (offset > 0 && length !== null && Number(length) < file.bytes) {
		throw unavailable(endpoint, subject, `it announced ${length} bytes where ${file.bytes} were due`);
	}
	return offset === 0;
}

/** Compressed bytes are at no offset of the file. */
export function refuseCompressed(headers: Headers, endpoint: URL, subject: Subject): void {
	const coding = header(headers, "content-encoding")?.trim().toLowerCase() ?? "identity";
	if (coding === "identity") return;
	throw unavailable(endpoint, subject, `the bytes were compressed on the way (${coding.slice(0, 20)})`, {
		hint: "A proxy compresses what passes through, though asked not to: name the Hub in NO_PROXY, or ask the proxy's owner.",
	});
}

/** What may come in a file's place under its name: the pointer that git stores for it, or a web page that claims to be data. */
export function refuseStandIn(start: Buffer, file: SourceFile, endpoint: URL, subject: Subject): void {
	const text = start.subarray(0, SNIFFED).toString("latin1");
	if (text.startsWith(POINTER) && start.length < file.bytes) {
		const message = `The Hub at ${endpoint.host} sent the pointer that git stores for ${file.path}, not the file.`;
		throw new LakeError("HUB_LFS_POINTER", message, { path: file.path });
	}
	if (WEB_PAGE.test(text)) throw notTheHub(endpoint, subject, "it sent a web page");
}

/** The body, as long as is due. Of a longer one the due part comes before the error. */
export async function* exactly(
	body: HubAnswer["body"],
	due: number,
	endpoint: URL,
	subject: Subject,
): AsyncGenerator<Buffer> {
	let left = due;
	for await (const chunk of body as AsyncIterable<Buffer>) {
		if (left > 0) yield chunk.length <= left ? chunk : chunk.subarray(0, left);
		left -= chunk.length;
		if (left < 0) throw unavailable(endpoint, subject, `it sent more than the ${due} bytes that were due`);
	}
	if (left > 0) throw unavailable(endpoint, subject, `it sent ${due - left} of the ${due} bytes that were due`);
}
