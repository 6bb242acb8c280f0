import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { openFolderStore } from "../../infra/adapters/store/folder/store.js";
import type { LakePlace, Store } from "../../pipelines/ports/store.js";
import { describeS3 } from "../support/describe-s3.js";
import { tempDir } from "../support/root.js";
import { S3Server } from "../support/s3.js";
import { openTestStore } from "../support/s3-store.js";

/** Wherever a lake lies, its store says itself whether it may be one, where objects are staged, and what room is left. */

const describeServer = await describeS3();
let server: S3Server;
beforeAll(async () => {
	if (describeServer === describe) server = await S3Server.start();
}, 120_000);
afterAll(() => server?.stop());

let local: ReturnType<typeof tempDir>;
beforeEach(() => {
	local = tempDir("place");
});
afterEach(() => local.remove());

const SUBJECTS: Record<string, () => Promise<Store & LakePlace>> = {
	folder: async () => openFolderStore(join(local.path, "lake")),
	S3: () => openTestStore(server, local.path),
};

for (const kind of Object.keys(SUBJECTS))
	(kind === "S3" ? describeServer : describe)(`the place of a ${kind} store`, () => {
		let store: Store & LakePlace;
		beforeEach(async () => {
			store = await (SUBJECTS[kind] as (typeof SUBJECTS)[string])();
		});

		test("may become a lake while nothing is there, and is left as it was", async () => {
			await store.requireLake();
			expect(existsSync(join(local.path, "lake"))).toBe(false);
		});

		test("is none where other files are", async () => {
			const other = await photos(kind, store);
			const message = expect.stringContaining("holds other files");
			await expect(other.requireLake()).rejects.toMatchObject({ code: "LAKE_NOT_A_LAKE", path: other.name, message });
		});

		test.each(["latest.json", ".irlake/lake.json"])("is one beside other files where there is %s", async (path) => {
			await store.putIfAbsent("notes.txt", Buffer.from("mine"));
			await store.putIfAbsent(path, Buffer.from("{}"));
			await store.requireLake();
		});

		test("tells free bytes, or that there is no limit to see", async () => {
			const free = await store.freeBytes();
			if (kind === "folder") expect(free).toBeGreaterThan(0);
			else expect(free).toBeNull();
		});

		test("tells where objects are staged, and can be written to", async () => {
			expect(store.stage.kind).toBe(kind === "folder" ? "folder" : "scratch");
			expect(isAbsolute(store.stage.folder)).toBe(true);
			await store.prepareWrites();
		});
	});

/** A place that holds a picture. What a folder store makes aside would make a lake of it, so it is put there by hand. */
async function photos(kind: string, store: Store & LakePlace): Promise<Store & LakePlace> {
	if (kind !== "folder") {
		await store.putIfAbsent("holiday.jpg", Buffer.from("photo"));
		return store;
	}
	const folder = join(local.path, "photos");
	mkdirSync(folder);
	writeFileSync(join(folder, "holiday.jpg"), "photo");
	return openFolderStore(folder);
}
