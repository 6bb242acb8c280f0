import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { systemCode } from "../../schemas/errors.js";

/**
 * Names the process that made a temporary file or folder, so that others can tell whether it still lives:
 * `<pid>-0<start time>-<place>`. A pid alone is soon given to another process; the place is there because containers and
 * machines that share a folder do not see each other's pids. Whether an owner elsewhere lives is for `marks.ts` to say.
 *
 * Release 0.1.0 wrote two other forms, which are still read: `<pid>-<start time>` in scratch, and
 * `<pid>-<start time>-<place>`, whose place left out the boot, in lakes; their owners left no marks. It takes ids of the
 * present form for those of another machine, and leaves alone what they own.
 */

/** `elsewhere`: of another machine or container, so its pid tells nothing here. */
type OwnerState = "alive" | "dead" | "elsewhere";

/** Source of a regular expression for an owner id, of whatever release, within a file's name. */
export const OWNER_ID = String.raw`\d{1,10}-\d+(?:-[0-9a-f]{8})?`;

interface ProcessStat {
	state: string;
	/** Clock ticks since boot. */
	started: string;
}

/** Whether `/proc` shows this process's own pid namespace: after `unshare --pid` without a new mount it shows another. */
const procIsOurs = linkAt("/proc/self") === String(process.pid);

function linkAt(path: string): string {
	try {
		return readlinkSync(path);
	} catch {
		return "";
	}
}

function textOf(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}

/** Fields 3 and 22 of `/proc/<pid>/stat`, counted after the last `)`: the name before it may hold anything. Null where there is none. */
function processStat(pid: number): ProcessStat | null {
	const text = procIsOurs ? textOf(`/proc/${pid}/stat`) : "";
	if (text === "") return null;
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return { state: fields[0] ?? "", started: fields[19] ?? "" };
}

function placeOf(...parts: string[]): string {
	return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 8);
}

const namespace = linkAt("/proc/self/ns/pid");
const formerPlace = placeOf(hostname(), namespace);
/** The boot tells machines apart that have the same name: the first pid namespace has the same number on all of them. */
const place = placeOf(hostname(), namespace, textOf("/proc/sys/kernel/random/boot_id"));
const own = `${process.pid}-0${processStat(process.pid)?.started ?? "0"}-${place}`;

/** This process's owner id; the same in all its threads. */
export function ownerId(): string {
	return own;
}

function signalReaches(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return systemCode(error) === "EPERM";
	}
}

/** State of the process that an owner id names. What is no owner id belongs to nobody: `dead`. */
export function ownerState(id: string): OwnerState {
	const parts = /^(\d{1,10})-0?(\d+)(?:-([0-9a-f]{8}))?$/.exec(id);
	if (parts === null) return "dead";
	const [, pidText, started, where] = parts;
	if (where !== undefined && where !== (leavesMarks(id) ? place : formerPlace)) return "elsewhere";
	const pid = Number(pidText);
	if (started === "0") return signalReaches(pid) ? "alive" : "dead";
	const stat = processStat(pid);
	if (stat === null || stat.started !== started) return "dead";
	return stat.state === "Z" || stat.state === "X" ? "dead" : "alive";
}

/** Whether the owner's release kept marks of its life. */
export function leavesMarks(id: string): boolean {
	return /^\d+-0\d/.test(id);
}
