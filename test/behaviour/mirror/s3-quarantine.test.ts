import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../../support/cli.js";
import { describeS3 } from "../../support/describe-s3.js";
import { digestOf } from "../../support/lake.js";
import { mirror, rowsOf } from "../../support/mirror-run.js";
import { S3Server } from "../../support/s3.js";
import { S3Lake } from "../../support/s3-lake.js";
import { World } from "../../support/world.js";
import { makeSample } from "../../tools/sample/make.js";

/** On S3 findings are judged, and rejected images kept, as in a folder. */

const describeServer = await describeS3();
const SHARDS = ["test_1"];

describeServer("a lake on S3", () => {
	let server: S3Server;
	let world: World;
	let source: string;
	let folder: string;
	let known: string;

	beforeAll(async () => {
		server = await S3Server.start();
		world = await World.open("s3-quarantine", { shards: SHARDS, images: 4, size: 24 });
		[source, folder, known] = [world.fresh("defects"), world.fresh("folder"), `${world.fresh("known")}.jsonl`];
		await makeSample(source, { shards: SHARDS, defects: true, size: 32, planted: null });
		const args = ["--shards", SHARDS.join(","), "--keep-rejected"];
		expect(await mirror({ folder: source }, folder, args)).toMatchObject({ code: 0 });
		const rows = (await rowsOf(folder, "quarantine")).map((row) => `${JSON.stringify(row)}\n`);
		writeFileSync(known, rows.slice(2).join(""));
	}, 300_000);
	afterAll(async () => {
		await world?.close();
		await server?.stop();
	});

	test("has what the folder has, new and reused", async () => {
		const lake = new S3Lake(world, server, "kept");
		const args = ["--source", `file://${source}`, "--keep-rejected", "--expect", known];
		const first = documentOf(await lake.mirror({ args }));
		expect(first).toMatchObject({ exit_code: 0, state: "published", expected_not_found: 0 });
		expect(first.new).toHaveLength(2);
		expect(await lake.look()).toEqual({ number: 1, digest: digestOf(folder) });
		const second = documentOf(await lake.mirror({ args }));
		expect(second).toMatchObject({ exit_code: 0, state: "up_to_date", shards: [{ state: "reused" }] });
		for (const key of ["findings", "findings_expected", "findings_new", "new"]) expect(second[key]).toEqual(first[key]);
	}, 120_000);

	test("made without its rejected images gets them later", async () => {
		const lake = new S3Lake(world, server, join("later", "lake"));
		const args = ["--source", `file://${source}`];
		expect(documentOf(await lake.mirror({ args }))).toMatchObject({ state: "published" });
		expect((await lake.keys()).filter((key) => key.startsWith("rejected/"))).toEqual([]);
		const later = documentOf(await lake.mirror({ args: [...args, "--keep-rejected"] }));
		expect(later).toMatchObject({ state: "up_to_date", number: 1, shards: [{ state: "done" }] });
		expect((await lake.look()).digest).toBe(digestOf(folder));
		expect(await lake.verify()).toMatchObject({ code: 0 });
	}, 120_000);
});
