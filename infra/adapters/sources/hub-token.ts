import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** What the Hub's own clients count as true. */
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

/**
 * The Hub's token as the Hub's own clients find it: `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else `$HF_HOME/token`
 * (default `~/.cache/huggingface/token`). `HF_HUB_DISABLE_IMPLICIT_TOKEN` leaves the files alone. Null without one.
 */
export function hubToken(env: NodeJS.ProcessEnv): string | null {
	const given = env.HF_TOKEN?.trim();
	if (given) return given;
	if (YES.has((env.HF_HUB_DISABLE_IMPLICIT_TOKEN ?? "").toLowerCase())) return null;
	if (env.HF_TOKEN_PATH) return fileToken(expandHome(env.HF_TOKEN_PATH));
	const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
	const home = env.HF_HOME || join(cache, "huggingface");
	return fileToken(join(expandHome(home), "token"));
}
