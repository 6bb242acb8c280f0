import type { SourceFile, SourcePin } from "../../../../pipelines/ports/source.js";
import { LakeError } from "../../../../schemas/errors.js";
import { notTheHub, type Subject, unavailable } from "./errors.js";
import { type Headers, header } from "./headers.js";
import type { HubAnswer } from "./http.js";

/** Checks that a response is the listed file, or a part of it. */

/** How git's pointers to large files begin (git-lfs docs/spec.md). */
const POINTER = "version https://git-lfs.github.com/spec/";
const WEB_PAGE = /^\s*<(!doctype\s+html|html)\b/i;
/** Bytes of a body that show what it is. */
const SNIFFED_BYTES = 512;

/** What messages say about a request for a file. */
export function fileSubject(file: SourceFile, pin: SourcePin): Subject {
	return { repo: pin.repo, revision: pin.commit, file: file.path };
}

/** Destroyed, not drained: the rest may be most of a shard. Errors after the last byte read are ignored. */
export function destroyBody({ body }: HubAnswer): void {
	if ("on" in body) body.on("error", () => undefined);
	body.destroy();
}

/** Throws unless the endpoint's own headers say that this is the listed file. */
export function checkLinked(linked: HubAnswer["linked"], file: SourceFile, pin: SourcePin, endpoint: URL): void {
	if (linked.commit === null) throw notTheHub(endpoint, fileSubject(file, pin), "its answer names no commit");
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

/** Compressed bytes have no offsets in the file. */
export function refuseCompressed(headers: Headers, endpoint: URL, subject: Subject): void {
	const coding = header(headers, "content-encoding")?.trim().toLowerCase() ?? "identity";
	if (coding === "identity") return;
	throw unavailable(endpoint, subject, `the bytes were compressed on the way (${coding.slice(0, 20)})`, {
		hint: "A proxy compresses what passes through it, although asked not to: name the Hub in NO_PROXY, or ask the proxy's owner.",
	});
}

/** Throws for what may come in place of a file: git's pointer to it, or a web page that claims to be data. */
export function refuseStandIn(start: Buffer, file: SourceFile, endpoint: URL, subject: Subject): void {
	const text = start.subarray(0, SNIFFED_BYTES).toString("latin1");
	if (text.startsWith(POINTER) && start.length < file.bytes) {
		const message = `The Hub at ${endpoint.host} sent the pointer that git stores for ${file.path}, not the file.`;
		throw new LakeError("HUB_LFS_POINTER", message, { path: file.path });
	}
	if (WEB_PAGE.test(text)) throw notTheHub(endpoint, subject, "it sent a web page");
}

/** The body, which must have `due` bytes. Of a longer one, the bytes that are due come before the error. */
export async function* exactBytes(
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
