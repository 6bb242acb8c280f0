import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Values that the Hub's own clients take for true. */
const YES = new Set(["1", "on", "yes", "true"]);

function fileToken(path: string): string | null {
	try {
		return readFileSync(path, "utf8").trim() || null;
	} catch {
		return null;
	}
}

/** `~/` at the start means the home folder, as in the Hub's own clients. */
function expandHome(path: string): string {
	return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}

/** A token, and the variable or file it comes from; `missing` is a file that `HF_TOKEN_PATH` names and that has none. */
export interface FoundToken {
	token: string | null;
	origin: string | null;
	missing: string | null;
}

/**
 * Finds the token as the Hub's own clients do: `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else `$HF_HOME/token`
 * (default `~/.cache/huggingface/token`). `HF_HUB_DISABLE_IMPLICIT_TOKEN` skips the files. Null if there is none.
 */
export function findHubToken(env: NodeJS.ProcessEnv): FoundToken {
	const given = env.HF_TOKEN?.trim();
	if (given) return { token: given, origin: "HF_TOKEN", missing: null };
	if (YES.has((env.HF_HUB_DISABLE_IMPLICIT_TOKEN ?? "").toLowerCase())) {
		return { token: null, origin: null, missing: null };
	}
	const path = env.HF_TOKEN_PATH ? expandHome(env.HF_TOKEN_PATH) : join(hubHome(env), "token");
	const token = fileToken(path);
	if (token !== null) return { token, origin: path, missing: null };
	return { token: null, origin: null, missing: env.HF_TOKEN_PATH ? path : null };
}

function hubHome(env: NodeJS.ProcessEnv): string {
	const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
	return expandHome(env.HF_HOME || join(cache, "huggingface"));
}

/** The token alone, or null. */
export function hubToken(env: NodeJS.ProcessEnv): string | null {
	return findHubToken(env).token;
}
