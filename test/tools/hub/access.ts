import { type Answer, failure } from "./answer.js";
import type { HubOptions } from "./options.js";

/** The token of `Authorization: Bearer …`, or null. */
export function bearer(header: string | undefined): string | null {
	const match = header === undefined ? null : /^Bearer +(\S+)$/i.exec(header);
	return match?.[1] ?? null;
}

/** A repo that is not there: without a token it cannot be told from a private one. */
export function repoNotFound(token: string | null): Answer {
	if (token === null) return failure(401, "Invalid username or password.", "RepoNotFound");
	return failure(404, "Repository not found", "RepoNotFound");
}

/** The answer to whoever sends a token that does not exist, whatever it asks for; null if all is well. */
export function refuseToken(options: HubOptions, token: string | null): Answer | null {
	if (token === null || options.token === null || token === options.token) return null;
	return failure(401, "Invalid credentials in Authorization header");
}

/** The answer to whoever may not see the repo (`files`: not read its files); null if all is well. */
export function refuseAccess(options: HubOptions, token: string | null, files: boolean): Answer | null {
	const known = token !== null && token === options.token;
	if ((options.private || (options.token !== null && !options.gated)) && !known) return repoNotFound(token);
	if (options.disabled) return failure(403, "Access to this resource is disabled.");
	if (!options.gated || !files || known) return null;
	const start = `Access to dataset ${options.repo} is restricted`;
	if (token === null) {
		return failure(401, `${start}. You must have access to it and be authenticated to access it.`, "GatedRepo");
	}
	return failure(403, `${start} and you are not in the authorized list.`, "GatedRepo");
}
