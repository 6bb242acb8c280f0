import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CliDocument, documentOf } from "../../support/cli.js";
import { Lab } from "../../support/lab.js";
import { digestOf, latestSnapshot, readPinned, versionsOf } from "../../support/lake.js";

/** `irlake rollback N` publishes what snapshot N held, as a snapshot of its own; nothing is lost, nothing fetched. */

const ZIP = "images/test/test_1.zip";
let lab: Lab;

beforeAll(async () => {
	lab = await Lab.open("rollback", { shards: ["test_1", "test_2"], images: 4, size: 24 });
	await lab.mirror("lake");
	lab.replace(ZIP, join(await lab.variant("packed", { deflate: true }), ZIP));
	await lab.hub.reload();
	expect(await lab.mirror("lake")).toMatchObject({ state: "published", number: 2 });
}, 120_000);
afterAll(() => lab.close());

async function rollback(number: string): Promise<CliDocument> {
	return documentOf(await lab.run(["rollback", number, "--lake", lab.path("lake"), "--json"]));
}

/** Everything of a snapshot but its number and versions. */
function content(number: unknown): unknown {
	const { shards, tables, counts, source, settings } = latestSnapshot(lab.path("lake"));
	const files = Object.values(tables).map((table) => table.files);
	return { number, shards, files, counts, source, settings };
}

test("the content of snapshot 1 becomes snapshot 3, a version of every table", async () => {
	const second = content(2);
	expect(await rollback("1")).toMatchObject({ state: "published", exit_code: 0, number: 3, error: null });
	expect(versionsOf(lab.path("lake"))).toBe(3);
	expect(readPinned(lab.path("lake"))).toBe(3);
	const audit = await lab.run(["verify", "--lake", lab.path("lake"), "--json"]);
	expect(JSON.parse(audit.stdout)).toMatchObject({ ok: true, checked: { snapshots: 3 } });
	expect(await rollback("2")).toMatchObject({ state: "published", number: 4 });
	expect(content(2)).toEqual(second);
}, 60_000);

test("to what the lake holds already publishes nothing", async () => {
	const digest = digestOf(lab.path("lake"));
	expect(await rollback("2")).toMatchObject({ state: "up_to_date", exit_code: 0, number: 4 });
	expect(digestOf(lab.path("lake"))).toBe(digest);
}, 60_000);

test("a mirror after it brings the source's state back without fetching a byte", async () => {
	expect(await rollback("1")).toMatchObject({ state: "published", number: 5 });
	const document = await lab.mirror("lake");
	expect(document).toMatchObject({ state: "published", number: 6, bytes_downloaded: 0 });
	expect(document.shards?.map(({ state }) => state)).toEqual(["reused", "reused"]);
}, 60_000);

test("to a snapshot that is not there, or no longer whole, ends with 2 and changes nothing", async () => {
	const digest = digestOf(lab.path("lake"));
	expect(await rollback("99")).toMatchObject({ exit_code: 2, error: { code: "SNAPSHOT_NOT_FOUND" } });
	expect(await rollback("0")).toMatchObject({ exit_code: 2, error: { code: "USAGE" } });
	expect(digestOf(lab.path("lake"))).toBe(digest);
	const lake = lab.path("lake");
	const [file] = latestSnapshot(lake).tables.images.files;
	const other = await rollback("1");
	expect(other).toMatchObject({ number: 7 });
	const kept = new Set(latestSnapshot(lake).tables.images.files.map(({ path }) => path));
	// Both forms of the zip hold the same pictures, so the tables share their files: take one of snapshot 6.
	expect(file && kept.has(file.path)).toBe(true);
	rmSync(join(lake, file?.path ?? ""));
	expect(existsSync(join(lake, file?.path ?? ""))).toBe(false);
	expect(await rollback("6")).toMatchObject({ exit_code: 2, error: { code: "SNAPSHOT_NOT_FOUND", path: file?.path } });
}, 60_000);
