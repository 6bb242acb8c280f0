import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type Answer, entryNotFound, pageNotFound, redirect, TEXT } from "./answer.js";
import type { Content } from "./content.js";
import type { HubOptions } from "./options.js";
import { type Commit, isFile, type Repo } from "./repo.js";

/** Signs the CDN's addresses, with a key that lives as long as the process. */
export class Signer {
	readonly #key = randomBytes(32);
	readonly #seconds: number;

	constructor(seconds: number) {
		this.#seconds = seconds;
	}

	#sign(path: string, query: URLSearchParams): Buffer {
		return createHmac("sha256", this.#key).update(`${path}?${query}`).digest();
	}

	/** The query of an address that is valid from now on; the path in the repo rides along for the counters. */
	query(path: string, repoPath: string): URLSearchParams {
		const name = encodeURIComponent(repoPath.slice(repoPath.lastIndexOf("/") + 1));
		const query = new URLSearchParams({
			"X-Repo-Path": repoPath,
			"response-content-disposition": `inline; filename*=UTF-8''${name}`,
			Expires: String(Math.floor(Date.now() / 1000 + this.#seconds)),
		});
		query.set("Signature", this.#sign(path, query).toString("base64url"));
		query.set("Key-Pair-Id", "KTESTHUB");
		return query;
	}

	/** Whether the signature is ours, of exactly this address, and not expired. */
	valid(path: string, given: URLSearchParams): boolean {
		const query = new URLSearchParams(given);
		const signature = Buffer.from(query.get("Signature") ?? "", "base64url");
		query.delete("Signature");
		query.delete("Key-Pair-Id");
		const right = this.#sign(path, query);
		if (signature.length !== right.length || !timingSafeEqual(signature, right)) return false;
		return Date.now() / 1000 < Number(query.get("Expires"));
	}
}

const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** `/datasets/{id}/resolve/{rev}/{path}`: to the CDN for LFS, else to the relative `resolve-cache`. */
export function resolve(
	options: HubOptions,
	commit: Commit,
	path: string,
	target: URL,
	cdn: { origin: string; signer: Signer },
): Answer {
	const entry = commit.byPath.get(path);
	if (entry === undefined || !isFile(entry)) return entryNotFound(path, commit.id);
	const { sha256, size, oid, lfs } = entry.content;
	const headers = {
		"X-Repo-Commit": commit.id,
		"Accept-Ranges": "bytes",
		"X-Linked-Size": String(size),
		"X-Linked-ETag": `"${lfs === null ? oid : sha256}"`,
	};
	if (lfs === null) {
		const query = new URLSearchParams([
			[target.pathname, ""],
			["etag", `"${oid}"`],
		]);
		const place = `/api/resolve-cache/datasets/${options.repo}/${commit.id}/${encodePath(path)}`;
		return redirect(307, `${place}?${query}`, headers);
	}
	const place = `/repos/${sha256.slice(0, 2)}/${sha256}`;
	return redirect(302, `${cdn.origin}${place}?${cdn.signer.query(place, path)}`, headers);
}

/** `/api/resolve-cache/datasets/{id}/{commit}/{path}`: a small file's bytes. */
export function resolveCache(commit: Commit, path: string, ifNoneMatch: string | undefined): Answer {
	const entry = commit.byPath.get(path);
	if (entry === undefined || !isFile(entry)) return entryNotFound(path, commit.id);
	const etag = `"${entry.content.oid}"`;
	const headers = { "X-Repo-Commit": commit.id, ETag: etag, "Cache-Control": "public, max-age=31536000" };
	if (ifNoneMatch === etag) return { status: 304, headers, body: Buffer.alloc(0) };
	return fileAnswer(entry.content, path, headers);
}

export const DENIED =
	'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>';

/** The CDN: content by its hash, for whoever holds a valid signature. */
export function cdn(repo: Repo, signer: Signer, target: URL): Answer {
	const sha256 = /^\/repos\/[0-9a-f]{2}\/([0-9a-f]{64})$/.exec(target.pathname)?.[1];
	const content = sha256 === undefined ? undefined : repo.content(sha256);
	if (!signer.valid(target.pathname, target.searchParams)) {
		return { status: 403, headers: { "Content-Type": "application/xml" }, body: Buffer.from(DENIED) };
	}
	if (content === undefined) return pageNotFound();
	// The CDN's own tag, not the file's SHA-256: clients that take one for the other must fail.
	const etag = createHash("md5").update(content.sha256).digest("hex");
	const disposition = target.searchParams.get("response-content-disposition") ?? "inline";
	return fileAnswer(content, target.pathname, { ETag: `"${etag}"`, "Content-Disposition": disposition });
}

const TYPES: Record<string, string> = { json: "application/json", md: TEXT, txt: TEXT };

function fileAnswer(content: Content, path: string, headers: Record<string, string>): Answer {
	const type = TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
	return { status: 200, headers: { "Content-Type": type, "Accept-Ranges": "bytes", ...headers }, body: content };
}
