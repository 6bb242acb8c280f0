import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { PART_BYTES } from "../../infra/adapters/store/s3/uploads.js";
import { type CliEnd, documentOf } from "../support/cli.js";
import { describeS3 } from "../support/describe-s3.js";
import { S3Server } from "../support/s3.js";
import { S3Lake } from "../support/s3-lake.js";
import { type Fate, type Passing, S3Proxy } from "../support/s3-proxy.js";
import { World } from "../support/world.js";

/** Large files go in parts: whatever happens to one, the file is whole in the end and no upload stays open. */

const describeServer = await describeS3();

describeServer("an upload in parts", () => {
	let server: S3Server;
	let world: World;
	let undisturbed: string;
	/** Pictures that go in parts, two each. */
	let large: number;
	let proxy: S3Proxy;
	let lake: S3Lake;
	let lakes = 0;

	beforeAll(async () => {
		server = await S3Server.start();
		// Pictures of some 9 MB, one or more of them above the size of a part.
		world = await World.open("s3-multipart", { shards: ["test_1"], images: 4, size: 2700 });
		const reference = new S3Lake(world, server, "reference");
		expect(await reference.mirror()).toMatchObject({ code: 0 });
		undisturbed = (await reference.look()).digest;
		large = (await reference.sizes()).filter(({ bytes }) => bytes > PART_BYTES).length;
		expect(large).toBeGreaterThan(0);
	}, 300_000);

	afterAll(async () => {
		await world?.close();
		await server?.stop();
	});

	beforeEach(async () => {
		proxy = await S3Proxy.start(server.endpoint);
		lakes += 1;
		lake = new S3Lake(world, server, `lake-${lakes}`);
		lake.endpoint = proxy.endpoint;
	});

	afterEach(() => proxy.stop());

	const isPart = ({ method, query }: Passing) => method === "PUT" && query.has("partNumber");
	const isComplete = ({ method, query }: Passing) => method === "POST" && query.has("uploadId");

	/** MinIO tells the open uploads of one key only. */
	async function openUploads(): Promise<string[]> {
		const keys = (await lake.keys()).map((key) => `${lake.prefix}/${key}`);
		const found = await Promise.all(
			keys.filter((key) => key.includes("/objects/")).map((key) => server.openUploads(key)),
		);
		return [...(await server.openUploads()), ...found.flat()];
	}

	async function expectUndisturbed(end: CliEnd): Promise<void> {
		expect(documentOf(end)).toMatchObject({ exit_code: 0, state: "published", number: 1 });
		expect(await openUploads()).toEqual([]);
		expect(await lake.look()).toEqual({ number: 1, digest: undisturbed });
	}

	test("30: its end's answer is lost, then there is no such upload: what is there is read back", async () => {
		// One part breaks off before, another's answer is lost: they are sent again, none is left out.
		const parts: Fate[] = ["reset", "lose"];
		let ends = 0;
		proxy.judge = (request) => {
			if (isPart(request)) return parts.shift() ?? "pass";
			if (!isComplete(request)) return "pass";
			ends += 1;
			return ends === 1 ? "lose" : "pass";
		};
		const end = await lake.mirror();
		expect(proxy.count(/^POST .*uploadId/)).toBe(large + 1);
		expect(proxy.count(/^PUT .*partNumber/)).toBe(2 * large + 2);
		await expectUndisturbed(end);
	}, 180_000);

	test("31: a part fails for good: exit, message, and the upload is removed", async () => {
		proxy.judge = (request) => (isPart(request) ? { status: 403, code: "AccessDenied" } : "pass");
		const end = await lake.mirror();
		expect(end.code).toBe(2);
		expect(documentOf(end).error).toMatchObject({ code: "LAKE_UNWRITABLE" });
		expect(documentOf(end).error?.path).toContain(`${lake.address}/objects/sha256/`);
		expect(proxy.count(/^DELETE .*uploadId/)).toBeGreaterThan(0);
		expect(await openUploads()).toEqual([]);
		expect(await lake.pinned()).toBe(0);
		proxy.judge = () => "pass";
		await expectUndisturbed(await lake.mirror());
	}, 180_000);

	/** Runs a mirror until a part is held back, then sends it the signal. */
	async function stopAtPart(signal: "SIGKILL" | "SIGTERM"): Promise<CliEnd> {
		let reached = () => {};
		const atPart = new Promise<void>((resolve) => {
			reached = resolve;
		});
		proxy.judge = (request) => {
			if (!isPart(request)) return "pass";
			reached();
			return "hold";
		};
		const command = await lake.startMirror();
		await Promise.race([atPart, command.ended]);
		command.kill(signal);
		return command.ended;
	}

	test("31: killed amidst its parts: the next run ends the file, and sweeps what was left open", async () => {
		expect(await stopAtPart("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
		expect(await lake.pinned()).toBe(0);
		if ((await server.openUploads()).length === 0) expect(process.env.IRLAKE_TEST_S3).toBe("minio");
		proxy.judge = () => "pass";
		await expectUndisturbed(await lake.mirror());
	}, 180_000);

	test("31: interrupted amidst its parts: nothing is left open, and the next run ends it", async () => {
		const end = await stopAtPart("SIGTERM");
		expect(end.code).toBe(143);
		expect(documentOf(end)).toMatchObject({ state: "interrupted", error: { code: "INTERRUPTED" } });
		expect(await openUploads()).toEqual([]);
		expect(await lake.pinned()).toBe(0);
		proxy.judge = () => "pass";
		await expectUndisturbed(await lake.mirror());
	}, 180_000);
});
