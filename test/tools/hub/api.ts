import { z } from "zod";
import { type Answer, entryNotFound, failure, json } from "./answer.js";
import type { HubOptions } from "./options.js";
import { type Commit, type Entry, isFile, type Repo } from "./repo.js";

const isTrue = (text: string | null): boolean => text !== null && ["true", "1"].includes(text.toLowerCase());

/** `GET /api/datasets/{id}[/revision/{rev}]`: sizes and hashes of the files only with `blobs=true`. */
export function info(options: HubOptions, commit: Commit, query: URLSearchParams): Answer {
	const blobs = isTrue(query.get("blobs"));
	const siblings = commit.entries.filter(isFile).map(({ path, content: { size, oid, sha256, lfs } }) => {
		if (!blobs) return { rfilename: path };
		const sibling = { rfilename: path, blobId: oid, size };
		return lfs === null ? sibling : { ...sibling, lfs: { sha256, size, pointerSize: lfs.pointerSize } };
	});
	return json({
		_id: "643f9a3b1f1a2b3c4d5e6f70",
		id: options.repo,
		author: options.repo.split("/")[0],
		sha: commit.id,
		lastModified: commit.date,
		createdAt: "2023-04-17T08:51:40.000Z",
		private: options.private || (options.token !== null && !options.gated),
		gated: options.gated ? "auto" : false,
		disabled: options.disabled,
		tags: [],
		downloads: 0,
		likes: 0,
		siblings,
		usedStorage: commit.entries.filter(isFile).reduce((sum, { content }) => sum + content.size, 0),
	});
}

function describe(entry: Entry, expand: boolean): object {
	const last = expand ? { lastCommit: entry.changedIn } : {};
	if (!isFile(entry)) return { type: "directory", oid: entry.content.oid, size: 0, path: entry.path, ...last };
	const { oid, size, sha256, lfs } = entry.content;
	const pointer = lfs === null ? {} : { lfs: { oid: sha256, size, pointerSize: lfs.pointerSize } };
	return { type: "file", oid, size, ...pointer, path: entry.path, ...last };
}

const cursorSchema = z.object({ after: z.string() });

function readCursor(text: string): string | null {
	try {
		return cursorSchema.parse(JSON.parse(Buffer.from(text, "base64url").toString())).after;
	} catch {
		return null;
	}
}

/** `GET /api/datasets/{id}/tree/{rev}[/path]`: one page; `here` is the address of this listing without its query. */
export function tree(options: HubOptions, commit: Commit, path: string, query: URLSearchParams, here: string): Answer {
	const top = path === "" ? undefined : commit.byPath.get(path);
	if (path !== "" && (top === undefined || isFile(top))) return entryNotFound(path, commit.id);
	const cursor = query.get("cursor");
	const after = cursor === null ? "" : readCursor(cursor);
	if (after === null) return failure(400, "Invalid cursor");
	const prefix = path === "" ? "" : `${path}/`;
	const recursive = isTrue(query.get("recursive"));
	const listed = commit.entries.filter(
		(entry) =>
			entry.path.startsWith(prefix) &&
			entry.path > after &&
			(recursive || !entry.path.slice(prefix.length).includes("/")),
	);
	const asked = Number(query.get("limit") ?? options.pageSize);
	const limit = Number.isInteger(asked) && asked > 0 ? Math.min(asked, options.pageSize) : options.pageSize;
	const page = listed.slice(0, limit);
	const headers: Record<string, string> = { "X-Repo-Commit": commit.id };
	const last = page.at(-1);
	if (last !== undefined && listed.length > limit) {
		const next = new URLSearchParams(query);
		next.set("limit", String(limit));
		next.set("cursor", Buffer.from(JSON.stringify({ after: last.path })).toString("base64url"));
		headers.Link = `<${here}?${next}>; rel="next"`;
	}
	const expand = isTrue(query.get("expand"));
	return json(
		page.map((entry) => describe(entry, expand)),
		headers,
	);
}

const pathsBody = z.object({
	paths: z.union([z.string().transform((path) => [path]), z.array(z.string())]),
	expand: z.boolean().default(false),
});

/** `POST /api/datasets/{id}/paths-info/{rev}`, JSON or form: paths that do not exist are left out. */
export function pathsInfo(commit: Commit, body: Buffer, contentType: string): Answer {
	let value: unknown;
	try {
		if (contentType.startsWith("application/x-www-form-urlencoded")) {
			const form = new URLSearchParams(body.toString());
			value = { paths: form.getAll("paths"), expand: isTrue(form.get("expand")) };
		} else value = JSON.parse(body.toString());
	} catch {
		return failure(400, "The body is not JSON");
	}
	const asked = pathsBody.safeParse(value);
	if (!asked.success) return failure(400, "The body needs paths");
	const found = asked.data.paths.flatMap((path) => commit.byPath.get(path) ?? []);
	return json(
		found.map((entry) => describe(entry, asked.data.expand)),
		{ "X-Repo-Commit": commit.id },
	);
}

/** `GET /api/datasets/{id}/commits/{rev}`, newest first. */
export function commits(repo: Repo, options: HubOptions, commit: Commit): Answer {
	const list = repo.history(commit).map(({ id, title, date }) => {
		return { id, title, message: "", authors: [{ user: options.repo.split("/")[0] }], date };
	});
	return json(list, { "X-Total-Count": String(list.length) });
}

/** `GET /api/datasets/{id}/refs`. */
export function refs(repo: Repo): Answer {
	const main = { name: "main", ref: "refs/heads/main", targetCommit: repo.head.id };
	return json({ branches: [main], converts: [], tags: [], pullRequests: [] });
}
