import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "@jest/globals";
import { OWNER_ID, ownerId, ownerState } from "../../../../pipelines/scratch/owner.js";
import { NAMESPACES } from "../../../support/namespace.js";
import { ROOT } from "../../../support/root.js";

/** An owner id tells whether its process lives, as far as pids tell it; of another place they do not. */

const MODULE = pathToFileURL(join(ROOT, "dist/pipelines/scratch/owner.js")).href;
const TELLS_ITS_ID = `import(${JSON.stringify(MODULE)}).then((m) => console.log(m.ownerId())); process.stdin.resume();`;

/** A process that tells its owner id and waits for the end of its input. */
async function otherOwner(command: string[] = []) {
	const [program = process.execPath, ...args] = [...command, process.execPath, "-e", TELLS_ITS_ID];
	const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
	const [line] = await once(child.stdout, "data");
	const end = async () => {
		const gone = once(child, "exit");
		child.stdin.end();
		await gone;
	};
	return { child, id: String(line).trim(), end };
}

test("a process is alive to itself", () => {
	expect(ownerState(ownerId())).toBe("alive");
	expect(ownerId()).toMatch(new RegExp(`^${OWNER_ID}$`));
});

test("another process is alive until it is killed", async () => {
	const { child, id } = await otherOwner();
	expect(ownerState(id)).toBe("alive");
	const gone = once(child, "exit");
	child.kill("SIGKILL");
	await gone;
	expect(ownerState(id)).toBe("dead");
});

test("the same pid, started at another time, is another process", () => {
	const [pid, started, place] = ownerId().split("-");
	expect(ownerState(`${pid}-0${Number(started) + 1}-${place}`)).toBe("dead");
});

test("of another machine's process nothing is known", () => {
	const [pid, started] = ownerId().split("-");
	expect(ownerState(`${pid}-${started}-00000000`)).toBe("elsewhere");
	expect(ownerState(`${pid}-${Number(started)}-00000000`)).toBe("elsewhere");
});

NAMESPACES("a process in another pid namespace is elsewhere, whatever its host's name", async () => {
	const { id, end } = await otherOwner(["unshare", "--pid", "--fork", "--mount-proc"]);
	expect(ownerState(id)).toBe("elsewhere");
	await end();
});

NAMESPACES("where /proc shows another pid namespace, a process does not take another's start for its own", async () => {
	const { id, end } = await otherOwner(["unshare", "--pid", "--fork"]);
	expect(id).toMatch(/^1-00-/);
	await end();
});

test("names that release 0.1.0 left without a place are judged by pid and start", () => {
	const [pid, started] = ownerId().split("-");
	expect(ownerState(`${pid}-${Number(started)}`)).toBe("alive");
	expect(ownerState(`${pid}-1`)).toBe("dead");
});

test("release 0.1.0 takes an owner for one of another machine, and leaves it alone", () => {
	const [, , place] = /^(\d+)-(\d+)-([0-9a-f]{8})$/.exec(ownerId())?.slice(1) ?? [];
	const here = `${hostname()}\n${readlinkSync("/proc/self/ns/pid")}`;
	expect(place).toMatch(/./);
	expect(place).not.toBe(createHash("sha256").update(here).digest("hex").slice(0, 8));
});

test("what is no owner id belongs to nobody", () => {
	for (const id of ["", "x", "12-34", "notes.txt"]) expect(ownerState(id)).toBe("dead");
});
