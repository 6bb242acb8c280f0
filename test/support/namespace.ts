import { spawnSync } from "node:child_process";
import { test } from "@jest/globals";

/** Runs a command in a pid namespace of its own, as a container does; `unshare` and its child share its output. */
export const UNSHARE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];

const [program = "", ...args] = UNSHARE;
const refused = spawnSync(program, [...args, "true"]).status !== 0;
if (refused) console.warn("unshare is refused here (it takes root): tests with two pid namespaces are skipped");

/** A test that needs a pid namespace of its own. */
export const NAMESPACES = refused ? test.skip : test;
