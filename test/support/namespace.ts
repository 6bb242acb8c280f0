import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "@jest/globals";

/** Runs a command in a pid namespace of its own, as a container does; `unshare` and its child share its output. */
export const UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

const [program = "", ...args] = UNSHARE;
const refused = spawnSync(program, [...args, "true"]).status !== 0;
if (refused) console.warn("unshare is refused here (it takes root): tests with two pid namespaces are skipped");

/** A test that needs a pid namespace of its own. */
export const NAMESPACES = refused ? test.skip : test;

/** Owner id of a process in a place that is not this one. */
export const ELSEWHERE = "7-099-00000000";

/** Leaves its mark in a folder, as touched so many seconds ago. */
export function markElsewhere(root: string, secondsAgo: number): void {
	const mark = join(root, "owners", ELSEWHERE);
	mkdirSync(join(root, "owners"), { recursive: true });
	writeFileSync(mark, "");
	setBack(mark, secondsAgo);
}

/** As if the file had last been touched so many seconds ago, by its file system's clock. */
export function setBack(file: string, seconds: number): void {
	const probe = `${file}.now`;
	writeFileSync(probe, "");
	const then = statSync(probe).mtimeMs / 1000 - seconds;
	rmSync(probe);
	utimesSync(file, then, then);
}
