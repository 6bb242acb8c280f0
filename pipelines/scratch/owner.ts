import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { systemCode } from "../../schemas/errors.js";

/**
 * Names the process that made a temporary file, so that others can tell whether it still lives:
 * `<pid>-<start time>-<place>`. A pid alone is soon given to another process; the place (machine and pid
 * namespace) is there because the containers that share a folder do not see each other's pids.
 */

/** `alive`, `dead`, or `elsewhere`: of another machine or container, so nobody here can know. */
export type OwnerState = "alive" | "dead" | "elsewhere";

interface ProcessStat {
	state: string;
	/** Clock ticks since boot. */
	started: string;
}

/** Fields 3 and 22 of `/proc/<pid>/stat`, counted after the last `)`: the name before it may hold anything. Null where there is none. */
function processStat(pid: number): ProcessStat | null {
	let text: string;
	try {
		text = readFileSync(`/proc/${pid}/stat`, "utf8");
	} catch {
		return null;
	}
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	return { state: fields[0] ?? "", started: fields[19] ?? "" };
}

function namePlace(): string {
	let namespace = "";
	try {
		namespace = readlinkSync("/proc/self/ns/pid");
	} catch {
		// No /proc: the host's name alone must do.
	}
	return createHash("sha256").update(`${hostname()}\n${namespace}`).digest("hex").slice(0, 8);
}

const place = namePlace();
const own = `${process.pid}-${processStat(process.pid)?.started ?? "0"}-${place}`;

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
	const parts = /^(\d+)-(\d+)-([0-9a-f]{8})$/.exec(id);
	if (parts === null) return "dead";
	if (parts[3] !== place) return "elsewhere";
	const pid = Number(parts[1]);
	if (parts[2] === "0") return signalReaches(pid) ? "alive" : "dead";
	const stat = processStat(pid);
	if (stat === null || stat.started !== parts[2]) return "dead";
	return stat.state === "Z" || stat.state === "X" ? "dead" : "alive";
}

/** Whether the owner may still live; true as well of one that cannot be seen from here. */
export function ownerAlive(id: string): boolean {
	return ownerState(id) !== "dead";
}
