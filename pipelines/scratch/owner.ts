import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { systemCode } from "../../schemas/errors.js";

/**
 * Owner ids name the process that made a temporary file or folder, so that others can tell whether it is still alive:
 * `<pid>-0<start time>-<place>`. The start time is there because pids are reused, the place because containers and
 * machines that share a folder cannot see each other's pids. For owners elsewhere, `marks.ts` knows who is alive.
 *
 * Release 0.1.0 wrote two other forms, which are still read: `<pid>-<start time>` in scratch folders, and
 * `<pid>-<start time>-<place>` in lakes, with a place computed without the boot id. Its processes left no marks. It
 * takes ids of the present form for another machine's, and leaves their files alone.
 */

/** `elsewhere`: on another machine or in another container, so its pid means nothing here. */
type OwnerState = "alive" | "dead" | "elsewhere";

/** Source of a regular expression for an owner id of any release, within a file name. */
export const OWNER_ID = String.raw`\d{1,10}-\d+(?:-[0-9a-f]{8})?`;

interface ProcessStat {
	state: string;
	/** Clock ticks since boot. */
	started: string;
}

/** Whether `/proc` shows this process's own pid namespace; after `unshare --pid` without a new mount it does not. */
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

/**
 * Fields 3 and 22 of `/proc/<pid>/stat`, counted from the last `)`, since the name before it may contain anything. Null
 * if there is no such process.
 */
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
/** The boot id tells apart machines of one host name: their first pid namespace has the same number everywhere. */
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

/** State of the process that an owner id names; `dead` for a text that is not an owner id. */
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

/** Whether the owner's release keeps marks. */
export function leavesMarks(id: string): boolean {
	return /^\d+-0\d/.test(id);
}
