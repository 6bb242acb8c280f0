import type { Content } from "./content.js";

/** What a handler wants to be sent; `send.ts` turns it into bytes on a socket. */
export interface Answer {
	status: number;
	headers: Record<string, string>;
	/** Ranges are honoured for file content only. */
	body: Buffer | Content;
}

export const TEXT = "text/plain; charset=utf-8";

export function json(value: unknown, headers: Record<string, string> = {}, status = 200): Answer {
	const body = Buffer.from(JSON.stringify(value));
	return { status, headers: { "Content-Type": "application/json; charset=utf-8", ...headers }, body };
}

/** A redirect with a short text body, as the Hub sends: its Content-Length is never that of the file behind it. */
export function redirect(status: 302 | 307, location: string, headers: Record<string, string> = {}): Answer {
	const word = status === 302 ? "Found" : "Temporary Redirect";
	const body = Buffer.from(`${word}. Redirecting to ${location}`);
	return { status, headers: { "Content-Type": TEXT, Location: location, Vary: "Origin, Accept", ...headers }, body };
}

export type HubErrorCode = "RepoNotFound" | "RevisionNotFound" | "EntryNotFound" | "GatedRepo";

/** An error as the Hub words it: code and message in headers, the message again in the body. */
export function failure(status: number, message: string, code?: HubErrorCode): Answer {
	const headers: Record<string, string> = { "X-Error-Message": message };
	if (code !== undefined) headers["X-Error-Code"] = code;
	if (status === 401) headers["WWW-Authenticate"] = 'Bearer realm="Authentication required", charset="UTF-8"';
	return json({ error: message }, headers, status);
}

export const revisionNotFound = (rev: string): Answer => failure(404, `Invalid rev id: ${rev}`, "RevisionNotFound");

/** The commit stands beside the error: clients remember which files a commit lacks. */
export function entryNotFound(path: string, commit: string): Answer {
	const answer = failure(404, `${path} does not exist on this revision`, "EntryNotFound");
	answer.headers["X-Repo-Commit"] = commit;
	return answer;
}

export const pageNotFound = (): Answer => failure(404, "Sorry, we can't find the page you are looking for.");
