import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { openFolderTarget } from "../../../../../infra/adapters/export/folder-target.js";
import { openStoreTarget } from "../../../../../infra/adapters/export/store-target.js";
import { openFolderStore } from "../../../../../infra/adapters/store/folder/store.js";
import type { ExportTarget } from "../../../../../pipelines/ports/exports.js";
import { DEAD_SECONDS } from "../../../../../pipelines/scratch/marks.js";
import { ELSEWHERE, markElsewhere } from "../../../../support/namespace.js";
import { tempDir } from "../../../../support/root.js";

/** One exporter at a time, be it in another container; one that stood still for too long does not go on. */

let root: ReturnType<typeof tempDir>;
beforeEach(() => {
	root = tempDir("exporter");
});
afterEach(() => root.remove());

/** A target, and the folder in which its exporter says who it is. */
type Opened = { target: ExportTarget; own: string };

const TARGETS: [string, () => Promise<Opened>][] = [
	[
		"a folder",
		async () => {
			const own = join(root.path, "out/.irlake-export");
			mkdirSync(own, { recursive: true });
			return { target: openFolderTarget(join(root.path, "out")), own };
		},
	],
	[
		"a bucket",
		async () => {
			const first = openStoreTarget(openFolderStore(join(root.path, "bucket")), root.path);
			const own = join(await first.temporaryPath(), "../..");
			mkdirSync(own, { recursive: true });
			return { target: first, own };
		},
	],
];

describe.each(TARGETS)("an export into %s", (_, open) => {
	test("is refused while another container's exporter touches its mark, and takes over a minute later", async () => {
		const { target, own } = await open();
		writeFileSync(join(own, "owner"), ELSEWHERE);
		markElsewhere(own, DEAD_SECONDS - 5);
		await expect(target.begin("key")).rejects.toMatchObject({ code: "OUT_BUSY" });
		await target.close();
		expect(readFileSync(join(own, "owner"), "utf8")).toBe(ELSEWHERE);
		markElsewhere(own, DEAD_SECONDS + 1);
		await target.begin("key");
		expect(readFileSync(join(own, "owner"), "utf8")).not.toBe(ELSEWHERE);
		await target.close();
	});

	test("that another exporter took over puts nothing more, and leaves that one alone", async () => {
		const { target, own } = await open();
		await target.begin("key");
		const local = await target.temporaryPath();
		writeFileSync(local, "rows");
		writeFileSync(join(own, "owner"), ELSEWHERE);
		const file = { path: "data/a.parquet", bytes: 4, sha256: "0".repeat(64) };
		await expect(target.put(file, local)).rejects.toMatchObject({ code: "TAKEN_OVER", retry: true });
		await expect(target.publish(["README.md"])).rejects.toMatchObject({ code: "TAKEN_OVER" });
		await target.close();
		expect(readFileSync(join(own, "owner"), "utf8")).toBe(ELSEWHERE);
	});
});
