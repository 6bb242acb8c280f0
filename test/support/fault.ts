import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** A fault that a command meets at one call of the file system: what the preloaded module reads from `IRLAKE_FAULT`. */

export type FaultOp = "link" | "rename" | "mkdir" | "open" | "write" | "sync" | "unlink";

export interface Fault {
	op: FaultOp | FaultOp[];
	/** Text that stands in one of the call's paths; every call where it is absent. */
	match?: string;
	/** Which of the calls that match, in one thread; 1 where it is absent. */
	nth?: number;
	/** Whether the call is made first; `before` where it is absent. */
	when?: "before" | "after";
	/** A signal to the process itself, `kill-parent`, or the system's error code that the call fails with. */
	do: "SIGKILL" | "SIGSTOP" | "kill-parent" | "EIO" | "ENOSPC" | "EACCES";
	/** Whether each further call that matches meets it as well. */
	lasting?: boolean;
	/** In the image host's threads, in place of the command's own process. */
	host?: boolean;
	/** Path of a file that is made, holding the pid, when the fault happens; one that is there already prevents it. */
	marker?: string;
}

const PRELOAD = pathToFileURL(join(import.meta.dirname, "preload.js")).href;

/** What a command's environment needs to meet the fault. */
export function faultEnv(fault: Fault): { NODE_OPTIONS: string; IRLAKE_FAULT: string } {
	return { NODE_OPTIONS: `--import=${PRELOAD}`, IRLAKE_FAULT: JSON.stringify(fault) };
}
