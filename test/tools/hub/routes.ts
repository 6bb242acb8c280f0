import type { IncomingMessage } from "node:http";
import { refuseAccess, repoNotFound } from "./access.js";
import { type Answer, pageNotFound, redirect, revisionNotFound } from "./answer.js";
import { commits, info, pathsInfo, refs, tree } from "./api.js";
import type { RouteKind } from "./counters.js";
import { resolve, resolveCache, type Signer } from "./files.js";
import type { HubOptions } from "./options.js";
import type { Commit, Repo } from "./repo.js";

/** What an address asks for; `rev` and `path` are decoded. */
export type Route =
	| { kind: "info"; rev: string }
	| { kind: "tree"; rev: string; path: string }
	| { kind: "paths_info"; rev: string }
	| { kind: "commits"; rev: string }
	| { kind: "refs" }
	| { kind: "resolve"; rev: string; path: string }
	| { kind: "resolve_cache"; rev: string; path: string }
	| { kind: "cdn"; path: string | null }
	| { kind: "renamed"; location: string }
	| { kind: "missing_repo" }
	| { kind: "unknown" };

export interface RouteRequest {
	repo: Repo;
	options: HubOptions;
	token: string | null;
	target: URL;
	request: IncomingMessage;
	body: Buffer;
	cdn: { origin: string; signer: Signer };
	endpoint: string;
}

/** Under what a request is counted. */
export function kindOf(route: Route, method: string): RouteKind {
	const end = method === "HEAD" ? "head" : "get";
	switch (route.kind) {
		case "resolve":
			return `resolve_${end}`;
		case "resolve_cache":
			return `resolve_cache_${end}`;
		case "cdn":
			return `cdn_${end}`;
		case "missing_repo":
			return "unknown";
		default:
			return route.kind;
	}
}

function decode(parts: string[]): string[] | null {
	try {
		return parts.map(decodeURIComponent);
	} catch {
		return null;
	}
}

/** Reads an address of the API's origin. */
export function readRoute(target: URL, options: HubOptions): Route {
	const match = /^(\/api\/datasets|\/api\/resolve-cache\/datasets|\/datasets)\/([^/]+\/[^/]+)((?:\/.*)?)$/.exec(
		target.pathname,
	);
	if (match === null) return { kind: "unknown" };
	const [, area = "", id = "", rest = ""] = match;
	if (id === options.oldName) {
		return { kind: "renamed", location: `${area}/${options.repo}${rest}${target.search}` };
	}
	if (id !== options.repo) return { kind: "missing_repo" };
	const parts = decode(rest.split("/").slice(1));
	if (parts === null) return { kind: "unknown" };
	if (area === "/api/datasets") return readApi(parts);
	if (area === "/datasets") {
		const [word, rev = "", ...path] = parts;
		return word === "resolve" && path.length > 0 ? { kind: "resolve", rev, path: path.join("/") } : { kind: "unknown" };
	}
	const [rev = "", ...path] = parts;
	return { kind: "resolve_cache", rev, path: path.join("/") };
}

function readApi([word, rev, ...path]: string[]): Route {
	if (word === undefined) return { kind: "info", rev: "main" };
	if (word === "refs" && rev === undefined) return { kind: "refs" };
	if (rev === undefined) return { kind: "unknown" };
	if (word === "tree") return { kind: "tree", rev, path: path.join("/").replace(/\/$/, "") };
	if (path.length > 0) return { kind: "unknown" };
	if (word === "revision") return { kind: "info", rev };
	if (word === "paths-info") return { kind: "paths_info", rev };
	if (word === "commits") return { kind: "commits", rev };
	return { kind: "unknown" };
}

/** The answer to a request at the API's origin, access checked. */
export function answerRoute(route: Route, of: RouteRequest): Answer {
	if (route.kind === "missing_repo") return repoNotFound(of.token);
	if (route.kind === "renamed") return redirect(307, route.location);
	const wanted = route.kind === "paths_info" ? ["POST"] : ["GET", "HEAD"];
	if (!wanted.includes(of.request.method ?? "")) return pageNotFound();
	const files = route.kind === "resolve" || route.kind === "resolve_cache";
	const refusal = refuseAccess(of.options, of.token, files);
	if (refusal !== null) return refusal;
	if (route.kind === "refs") return refs(of.repo);
	if (!("rev" in route)) return pageNotFound();
	const commit = of.repo.find(route.rev);
	return commit === undefined ? revisionNotFound(route.rev) : answerAt(route, commit, of);
}

function answerAt(route: Extract<Route, { rev: string }>, commit: Commit, of: RouteRequest): Answer {
	const { options, target, request } = of;
	switch (route.kind) {
		case "info":
			return info(options, commit, target.searchParams);
		case "tree":
			return tree(options, commit, route.path, target.searchParams, `${of.endpoint}${target.pathname}`);
		case "paths_info":
			return pathsInfo(commit, of.body, request.headers["content-type"] ?? "");
		case "commits":
			return commits(of.repo, options, commit);
		case "resolve":
			return resolve(options, commit, route.path, target, of.cdn);
		case "resolve_cache":
			return resolveCache(commit, route.path, request.headers["if-none-match"]);
	}
}
