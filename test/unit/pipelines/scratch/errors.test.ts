import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { diskOf, isDiskFull, nearestFolder } from "../../../../pipelines/scratch/disk.js";
import { scratchError } from "../../../../pipelines/scratch/errors.js";
import { ownerId } from "../../../../pipelines/scratch/owner.js";
import { tempDir } from "../../../support/root.js";

/** What the system says of the scratch folder and its disk comes as an error that says what to do. */

const root = tempDir("scratch-errors");
afterAll(() => root.remove());

function told(code: string, name: string): unknown {
	const path = join("/scratch", name);
	return scratchError(Object.assign(new Error(code), { code, path }), "/scratch");
}

test("a full disk and a used-up quota are both NO_SPACE", () => {
	for (const code of ["ENOSPC", "EDQUOT"]) {
		expect(isDiskFull({ code })).toBe(true);
		expect(told(code, "parts/a")).toMatchObject({ code: "NO_SPACE" });
	}
});

test("something of this process's own that is gone was taken by another one", () => {
	expect(told("ENOENT", `work/mirror.${ownerId()}-1`)).toMatchObject({ code: "TAKEN_OVER", retry: true });
	expect(told("ENOENT", "hashes.json")).toMatchObject({ code: "USAGE", retry: true });
});

test("the nearest folder is the path itself or the first above it; no folder at all is the system's error", async () => {
	writeFileSync(join(root.path, "file"), "");
	expect(await nearestFolder(root.path)).toBe(root.path);
	expect(await nearestFolder(join(root.path, "a/b"))).toBe(root.path);
	await expect(nearestFolder(join(root.path, "file"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test("a disk is that of the nearest thing that exists", async () => {
	const { device, free } = await diskOf(join(root.path, "a/b"));
	expect(device).toBe((await diskOf(root.path)).device);
	expect(free).toBeGreaterThan(0);
});
