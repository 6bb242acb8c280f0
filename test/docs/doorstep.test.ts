import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { ROOT } from "../support/root.js";

/** What a visitor meets first: `make` lists every target, and no leftovers lie about. */

const MAKEFILE = readFileSync(join(ROOT, "Makefile"), "utf8");
/** Targets that people type: no files, no variables. */
const TARGETS = [...MAKEFILE.matchAll(/^([a-z][a-z0-9_-]*)\s*:(?!=)/gm)].map(([, name = ""]) => name).sort();

function run(command: string, ...args: string[]): string[] {
	return execFileSync(command, args, { cwd: ROOT, encoding: "utf8" }).split("\n").filter(Boolean);
}

test("every target of the Makefile is phony", () => {
	const phony = [...MAKEFILE.matchAll(/^\.PHONY:(.*)$/gm)].flatMap(([, names = ""]) => names.trim().split(/\s+/));
	expect(TARGETS).toContain("decoder");
	expect(phony.sort()).toEqual(TARGETS);
});

test("make alone lists every target, in 80 columns", () => {
	const lines = run("make", "--no-print-directory");
	expect(lines.map((line) => line.trim().split(/\s/)[0]).sort()).toEqual(TARGETS);
	expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test("the citation names this release", () => {
	const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
	expect(readFileSync(join(ROOT, "CITATION.cff"), "utf8")).toContain(`\nversion: ${version}\n`);
});

test("no profile or heap dump is tracked", () => {
	expect(run("git", "ls-files", ":(glob)**/isolate-*.log", "*.cpuprofile", "*.heapprofile", "*.heapsnapshot")).toEqual(
		[],
	);
});
