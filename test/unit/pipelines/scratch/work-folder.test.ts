import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { DEAD_SECONDS } from "../../../../pipelines/scratch/marks.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { workFolder } from "../../../../pipelines/scratch/work-folder.js";
import { ELSEWHERE, markElsewhere } from "../../../support/namespace.js";
import { tempDir } from "../../../support/root.js";

/** Folders in scratch belong to one process; what dead ones left goes, whatever they were at. */

let scratch: ReturnType<typeof tempDir>;
beforeEach(() => {
	scratch = tempDir("work-folder");
});
afterEach(() => scratch.remove());

function fill(names: string[]): void {
	for (const name of names) {
		mkdirSync(join(scratch.path, "work", name), { recursive: true });
		writeFileSync(join(scratch.path, "work", name, "table.parquet"), "x");
	}
}

const names = () => readdirSync(join(scratch.path, "work")).sort();

test("folders of a dead process are deleted, of any kind; those of live ones and foreign names stay", async () => {
	const child = spawn(process.execPath, ["-e", ""]);
	await once(child, "exit");
	const mine = await workFolder(scratch.path, "mirror");
	const place = ownerId().split("-")[2];
	const own = [basename(mine), "notes"];
	// Those of release 0.1.0 name no place.
	fill([`mirror.${child.pid}-1-1`, `vacuum.${child.pid}-01-${place}-1`, ...own]);
	const other = await workFolder(scratch.path, "mirror");
	expect(other).not.toBe(mine);
	expect(names()).toEqual(own.sort());
});

test("a folder of another container stays while its owner touches its mark, and is deleted a minute later", async () => {
	const theirs = `mirror.${ELSEWHERE}-1`;
	fill([theirs]);
	markElsewhere(scratch.path, DEAD_SECONDS - 5);
	await workFolder(scratch.path, "mirror");
	expect(names()).toEqual([theirs]);
	markElsewhere(scratch.path, DEAD_SECONDS + 1);
	await workFolder(scratch.path, "mirror");
	expect(names()).toEqual([]);
});

test("whoever has a folder has left its mark", async () => {
	await workFolder(scratch.path, "mirror");
	expect(readdirSync(join(scratch.path, "owners"))).toEqual([ownerId()]);
});
