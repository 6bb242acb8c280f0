import type { HubReply } from "../ports/source.js";
import { failed, ok, skipped, type Verdict, warn } from "./check.js";

/** Where a token was found, never the token itself. `origin`: variable or file; null without one. */
export interface TokenOrigin {
	origin: string | null;
	/** A file that was named and cannot be used. */
	missing: string | null;
}

/** Refusals by a Hub that has looked at the token and found nothing wrong with it. */
const JUDGED = new Set(["HUB_NOT_FOUND", "HUB_GATED", "HUB_REVISION_NOT_FOUND", "HUB_DISABLED"]);

export function tokenVerdict({ origin, missing }: TokenOrigin, reply: HubReply): Verdict {
	if (origin === null && missing !== null) {
		return warn(`None: ${missing} holds none that can be read.`, "Correct HF_TOKEN_PATH, or unset it.");
	}
	if (origin === null) return ok("none; only a gated or private dataset needs one");
	const { error } = reply;
	if (error?.code === "HUB_TOKEN_INVALID") return failed(`From ${origin}: ${error.message}`, error.hint);
	if (error !== null && !JUDGED.has(error.code)) return skipped(`from ${origin}; not checked: ${error.message}`);
	return ok(`from ${origin}; the Hub accepts it`);
}

/** Seconds that are no news: headers tell whole seconds, and an answer takes its time. */
const TOLERATED = 30;

/** Never failed: what we do goes by monotonic timers; signatures and certificates do not. */
export function clockVerdict(whose: string, theirs: Date | null, ours: Date): Verdict {
	if (theirs === null || Number.isNaN(theirs.getTime())) return skipped(`${whose} tells no time`);
	const ahead = Math.round((ours.getTime() - theirs.getTime()) / 1000);
	if (Math.abs(ahead) <= TOLERATED) return ok(`within ${TOLERATED} s of ${whose}`);
	const side = ahead > 0 ? "ahead of" : "behind";
	return warn(
		`This machine's clock is ${Math.abs(ahead).toLocaleString("en-US")} s ${side} ${whose}.`,
		"Set the clock (timedatectl set-ntp true): signed requests are refused 15 minutes off, certificates later.",
	);
}
