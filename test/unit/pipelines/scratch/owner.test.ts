import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "@jest/globals";
import { ownerAlive, ownerId, ownerState } from "../../../../pipelines/scratch/owner.js";
import { ROOT } from "../../../support/root.js";

test("a process is alive to itself", () => {
	expect(ownerState(ownerId())).toBe("alive");
	expect(ownerAlive(ownerId())).toBe(true);
});

test("another process is alive until it is killed", async () => {
	const owner = pathToFileURL(join(ROOT, "dist/pipelines/scratch/owner.js")).href;
	const code = `import(${JSON.stringify(owner)}).then((m) => console.log(m.ownerId())); process.stdin.resume();`;
	const child = spawn(process.execPath, ["-e", code], { stdio: ["pipe", "pipe", "inherit"] });
	const [line] = await once(child.stdout, "data");
	const id = String(line).trim();
	expect(ownerState(id)).toBe("alive");
	const gone = once(child, "exit");
	child.kill("SIGKILL");
	await gone;
	expect(ownerState(id)).toBe("dead");
});

test("the same pid, started at another time, is another process", () => {
	const [pid, started, place] = ownerId().split("-");
	expect(ownerState(`${pid}-${Number(started) + 1}-${place}`)).toBe("dead");
});

test("a process of another machine may be alive", () => {
	const id = ownerId().replace(/-[0-9a-f]{8}$/, "-00000000");
	expect(ownerState(id)).toBe("elsewhere");
	expect(ownerAlive(id)).toBe(true);
});

test("what is no owner id belongs to nobody", () => {
	for (const id of ["", "x", "12-34", "notes.txt"]) expect(ownerState(id)).toBe("dead");
});
