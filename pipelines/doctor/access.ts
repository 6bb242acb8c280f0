import type { HubReply } from "../ports/source.js";
import { failed, ok, skipped, type Verdict, warn } from "./verdict.js";

/** Where a token was found, never the token itself. `origin` is a variable or a file; null without a token. */
interface TokenOrigin {
	origin: string | null;
	/** A file that was named but has no usable token. */
	missing: string | null;
}

/** Refusals that show that the Hub has accepted the token. */
const TOKEN_ACCEPTED = new Set(["HUB_NOT_FOUND", "HUB_GATED", "HUB_REVISION_NOT_FOUND", "HUB_DISABLED"]);

export function tokenVerdict({ origin, missing }: TokenOrigin, reply: HubReply): Verdict {
	if (origin === null && missing !== null) {
		return warn(`None: ${missing} holds none that can be read.`, "Correct HF_TOKEN_PATH, or unset it.");
	}
	if (origin === null) return ok("none; only a gated or private dataset needs one");
	const { error } = reply;
	if (error?.code === "HUB_TOKEN_INVALID") return failed(`From ${origin}: ${error.message}`, error.hint);
	if (error !== null && !TOKEN_ACCEPTED.has(error.code))
		return skipped(`from ${origin}; not checked: ${error.message}`);
	return ok(`from ${origin}; the Hub accepts it`);
}

/** Difference in seconds that is ignored: headers have whole seconds, and a response takes time. */
const TOLERATED_SECONDS = 30;

/** Never fails: irlake uses monotonic timers. Only signatures and certificates depend on the clock. */
export function clockVerdict(whose: string, theirs: Date | null, ours: Date): Verdict {
	if (theirs === null || Number.isNaN(theirs.getTime())) return skipped(`${whose} tells no time`);
	const ahead = Math.round((ours.getTime() - theirs.getTime()) / 1000);
	if (Math.abs(ahead) <= TOLERATED_SECONDS) return ok(`within ${TOLERATED_SECONDS} s of ${whose}`);
	const side = ahead > 0 ? "ahead of" : "behind";
	return warn(
		`This machine's clock is ${Math.abs(ahead).toLocaleString("en-US")} s ${side} ${whose}.`,
		"Set the clock (timedatectl set-ntp true): signed requests are refused 15 minutes off, certificates later.",
	);
}
