import { cpSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../../support/cli.js";
import { describeS3 } from "../../support/describe-s3.js";
import { digestOf } from "../../support/lake.js";
import { S3Server } from "../../support/s3.js";
import { S3Lake } from "../../support/s3-lake.js";
import { S3Proxy } from "../../support/s3-proxy.js";
import { World } from "../../support/world.js";

/** A lake on S3 is the lake in a folder, key by key, and every command that reads or writes one works on it. */

const describeServer = await describeS3();
const SHARDS = ["train_1", "validation_1", "test_1"];
/** Pictures a shard. */
const IMAGES = 6;

describeServer("a lake on S3", () => {
	let server: S3Server;
	let world: World;
	let lake: S3Lake;

	beforeAll(async () => {
		server = await S3Server.start();
		world = await World.open("s3-lake", { shards: SHARDS, images: IMAGES, size: 96 });
		lake = new S3Lake(world, server, "some where/lake");
	}, 300_000);

	afterAll(async () => {
		await world?.close();
		await server?.stop();
	});

	test("has nothing yet: status says so, verify ends with 2, plan writes nothing", async () => {
		expect(await (await lake.start(["status"])).ended).toMatchObject({ code: 0 });
		expect(documentOf(await lake.verify()).error).toMatchObject({ code: "LAKE_NOT_FOUND" });
		const plan = await (await lake.start(["plan", "--shards", SHARDS.join(",")])).ended;
		expect(JSON.parse(plan.stdout)).toMatchObject({ exit_code: 0, up_to_date: false, free_bytes: { lake: null } });
		expect(await lake.keys()).toEqual([]);
	}, 120_000);

	test("is byte by byte the same as in a folder, after one snapshot and after two", async () => {
		const folder = world.lake("folder");
		for (const number of [1, 2]) {
			if (number === 2) await world.change("train", 2);
			expect(await folder.mirror()).toMatchObject({ code: 0 });
			expect(documentOf(await lake.mirror())).toMatchObject({ state: "published", number });
			expect(await lake.look()).toEqual({ number, digest: digestOf(folder.path) });
		}
		expect((await lake.keys()).filter((key) => key.startsWith(".irlake/"))).toEqual([".irlake/lake.json"]);
	}, 120_000);

	test("diff finds what it finds in a folder", async () => {
		const folder = world.lake("compared");
		cpSync(await lake.download(), folder.path, { recursive: true });
		const local = await (await world.start(["diff", "1", "2", "--lake", folder.path, "--json"], {})).ended;
		const found = await (await lake.start(["diff", "1", "2"])).ended;
		expect(found).toMatchObject({ code: 4, stdout: local.stdout });
		expect(JSON.parse(found.stdout)).toMatchObject({ shards: [{ shard: "train_1" }] });
	}, 120_000);

	test("a second run with nothing to do reads records and writes nothing", async () => {
		const proxy = await S3Proxy.start(server.endpoint);
		lake.endpoint = proxy.endpoint;
		try {
			expect(documentOf(await lake.mirror())).toMatchObject({ state: "up_to_date", number: 2 });
			expect(proxy.count(/^(PUT|POST|DELETE) /)).toBe(0);
			expect(proxy.count(/objects/)).toBe(0);
			expect(proxy.seen.length).toBeLessThan(25);
		} finally {
			lake.endpoint = server.endpoint;
			await proxy.stop();
		}
	}, 120_000);

	test("lists the objects once, and asks nothing about each", async () => {
		const fresh = new S3Lake(world, server, "counted");
		const proxy = await S3Proxy.start(server.endpoint);
		fresh.endpoint = proxy.endpoint;
		try {
			expect(await fresh.mirror()).toMatchObject({ code: 0 });
			expect(proxy.count(/^GET .*list-type=2.*objects%2F/)).toBe(1);
			expect(proxy.count(/^PUT .*\/objects\//)).toBe(SHARDS.length * IMAGES);
			expect(proxy.count(/^(HEAD|GET) .*\/objects\//)).toBe(0);
		} finally {
			await proxy.stop();
		}
	}, 120_000);

	test("rolls back, by a new snapshot", async () => {
		const end = await (await lake.start(["rollback", "1"])).ended;
		expect(documentOf(end)).toMatchObject({ state: "published", number: 3 });
		expect(await lake.pinned()).toBe(3);
		const status = JSON.parse((await (await lake.start(["status"])).ended).stdout);
		expect(status.lake).toMatchObject({ path: lake.address, latest: { number: 3 } });
		expect(status.lake.snapshots).toHaveLength(3);
	}, 120_000);

	test("verify decodes every image again, and finds one missing and one altered", async () => {
		const whole = await lake.verify("--deep");
		expect(JSON.parse(whole.stdout)).toMatchObject({ ok: true, problems: [] });
		// The first snapshot's pictures are the newest's again.
		expect(JSON.parse(whole.stdout).checked.decoded).toBeGreaterThanOrEqual(SHARDS.length * IMAGES);
		const damaged = await lake.copy("damaged");
		const [missing = "", altered = ""] = (await damaged.keys()).filter((key) => key.startsWith("objects/"));
		const at = (path: string) => ({ Bucket: server.bucket, Key: `${damaged.prefix}/${path}` });
		await server.client.send(new DeleteObjectCommand(at(missing)));
		await server.client.send(new PutObjectCommand({ ...at(altered), Body: "other" }));
		const end = await damaged.verify();
		expect(end.code).toBe(4);
		const found = documentOf(end).problems as { code: string; path: string }[];
		expect(found.map(({ code, path }) => [code, path]).sort()).toEqual([
			["OBJECT_MISSING", missing],
			["OBJECT_SIZE", altered],
		]);
	}, 120_000);

	test("vacuum marks, then deletes what the newest snapshot does not need", async () => {
		const own = await lake.copy("vacuumed");
		const vacuum = async () => {
			const end = await (await own.start(["vacuum", "--keep", "1", "--grace", "0", "--yes"], { LOG_LEVEL: "error" }))
				.ended;
			return JSON.parse(end.stdout);
		};
		// Copied a moment ago, and S3 tells whole seconds: what is as old as its mark is left for the next.
		await pause(1000);
		expect(await vacuum()).toMatchObject({ mode: "marked", exit_code: 0 });
		expect(await vacuum()).toMatchObject({
			mode: "swept",
			deleted: { receipts: { files: 1 }, objects: { files: IMAGES } },
		});
		expect((await own.keys()).filter((key) => key.startsWith("objects/"))).toHaveLength(SHARDS.length * IMAGES);
		expect(await own.pinned()).toBe(3);
		expect(await own.verify()).toMatchObject({ code: 0 });
	}, 120_000);

	test("doctor tries its writes, and leaves nothing behind", async () => {
		const before = await lake.keys();
		const end = await (await lake.start(["doctor", "--shards", SHARDS.join(",")])).ended;
		const { checks } = JSON.parse(end.stdout) as { checks: { name: string; state: string }[] };
		const lakes = checks.filter(({ name }) => name.startsWith("lake"));
		expect(Object.fromEntries(lakes.map(({ name, state }) => [name, state]))).toEqual({
			lake: "ok",
			lake_writes: "ok",
			lake_conditions: "ok",
			lake_clock: "ok",
			lake_disk: "skipped",
		});
		expect(await lake.keys()).toEqual(before);
	}, 120_000);

	test("a prefix that holds other files is no lake", async () => {
		const other = new S3Lake(world, server, "other");
		const at = { Bucket: server.bucket, Key: join(other.prefix, "notes.txt") };
		await server.client.send(new PutObjectCommand({ ...at, Body: "mine" }));
		const end = await other.mirror();
		expect(end.code).toBe(2);
		expect(documentOf(end).error).toMatchObject({ code: "LAKE_NOT_A_LAKE", path: other.address });
		expect(await other.keys()).toEqual(["notes.txt"]);
	}, 120_000);

	test("asks for encryption where told to", async () => {
		const asked: unknown[] = [];
		const proxy = await S3Proxy.start(server.endpoint, ({ method, headers }) => {
			if (method === "PUT") asked.push(headers["x-amz-server-side-encryption"]);
			return "pass";
		});
		const secret = new S3Lake(world, server, "encrypted");
		secret.endpoint = proxy.endpoint;
		try {
			await secret.mirror({ shards: ["test_1"], args: ["--s3-sse", "AES256"] });
			expect(asked.length).toBeGreaterThan(1);
			expect(new Set(asked)).toEqual(new Set(["AES256"]));
		} finally {
			await proxy.stop();
		}
	}, 120_000);
});
