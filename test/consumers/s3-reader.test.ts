import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { describeS3 } from "../support/describe-s3.js";
import { python, pythonVerdict } from "../support/python.js";
import { S3Server } from "../support/s3.js";
import { S3Lake } from "../support/s3-lake.js";
import { TABLE_NAMES } from "../support/tables.js";
import { World } from "../support/world.js";

/** Readers that others wrote read the tables of a lake on S3 from there: delta-rs, and DuckDB with httpfs and delta. */

const describeServer = await describeS3();
const ready = process.env.REQUIRE_SERVICES === "1" || (await python()) !== null;
const SHARDS = ["train_1", "test_1"];

const Read = z.object({
	versions: z.array(z.int()),
	tables: z.record(
		z.enum(TABLE_NAMES),
		z.object({ rows: z.record(z.string(), z.int()), equal: z.record(z.string(), z.boolean()) }),
	),
	globbed: z.int(),
});

(ready ? describeServer : describe.skip)("readers of a lake on S3", () => {
	let server: S3Server;
	let world: World;

	beforeAll(async () => {
		server = await S3Server.start();
		world = await World.open("s3-reader", { shards: SHARDS, images: 6, size: 64 });
	}, 300_000);

	afterAll(async () => {
		await world?.close();
		await server?.stop();
	});

	test("delta-rs and DuckDB see the rows that the lake in a folder has", async () => {
		const lake = new S3Lake(world, server, "read/by others");
		const folder = world.lake("folder");
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		expect(await folder.mirror()).toMatchObject({ code: 0 });
		Object.assign(process.env, server.env());
		const read = await pythonVerdict(Read, "read_s3.py", [lake.address, folder.path]);
		expect(read.versions).toEqual([0]);
		for (const table of TABLE_NAMES) expect(read.tables[table]?.equal).toEqual({ "delta-rs": true, duckdb: true });
		expect(read.tables.images?.rows).toEqual({ "delta-rs": 12, duckdb: 12 });
		expect(read.globbed).toBe(12);
	}, 180_000);
});
