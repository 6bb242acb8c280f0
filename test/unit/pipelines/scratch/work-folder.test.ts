import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { workFolder } from "../../../../pipelines/scratch/work-folder.js";
import { tempDir } from "../../../support/root.js";

/** Folders in scratch belong to one process; what dead ones left goes, whatever they were at. */

const scratch = tempDir("work-folder");
afterAll(() => scratch.remove());

test("folders of a dead process are deleted, of any kind; those of live ones and foreign names stay", async () => {
	const child = spawn(process.execPath, ["-e", ""]);
	await once(child, "exit");
	const mine = await workFolder(scratch.path, "mirror");
	const dead = ["mirror", "vacuum"].map((kind) => `${kind}.${child.pid}-1-1`);
	const own = [basename(mine), "notes"];
	for (const name of [...dead, ...own]) {
		mkdirSync(join(scratch.path, "work", name), { recursive: true });
		writeFileSync(join(scratch.path, "work", name, "table.parquet"), "x");
	}
	const other = await workFolder(scratch.path, "mirror");
	expect(other).not.toBe(mine);
	expect(readdirSync(join(scratch.path, "work")).sort()).toEqual(own.sort());
});
