import { PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { type CliEnd, documentOf } from "../support/cli.js";
import { describeS3 } from "../support/describe-s3.js";
import { S3Server } from "../support/s3.js";
import { S3Lake } from "../support/s3-lake.js";
import { type Fate, S3Proxy } from "../support/s3-proxy.js";
import { World } from "../support/world.js";
import { Random } from "../tools/sample/random.js";

/** What S3 servers and the network before them do wrong: the lake comes to be what an undisturbed one is, or says why not. */

const describeServer = await describeS3();
const SHARDS = ["validation_1", "test_1"];
/** Records, which are put under a condition. */
const RECORD = /\/(receipts\/.*|snapshots\/.*|_delta_log\/.*|latest)\.json$|\/latest\.json$/;

describeServer("S3", () => {
	let server: S3Server;
	let world: World;
	let undisturbed: string;
	let proxy: S3Proxy;
	let lake: S3Lake;
	let lakes = 0;

	function fresh(name: string): S3Lake {
		lakes += 1;
		return new S3Lake(world, server, `${name}-${lakes}`);
	}

	beforeAll(async () => {
		server = await S3Server.start();
		world = await World.open("s3-faults", { shards: SHARDS, images: 4, size: 64 });
		const reference = fresh("reference");
		expect(await reference.mirror()).toMatchObject({ code: 0 });
		undisturbed = (await reference.look()).digest;
	}, 300_000);

	afterAll(async () => {
		await world?.close();
		await server?.stop();
	});

	beforeEach(async () => {
		proxy = await S3Proxy.start(server.endpoint);
		lake = fresh("disturbed");
		lake.endpoint = proxy.endpoint;
	});

	afterEach(() => proxy.stop());

	/** Published, whole, with counts that add up, and byte by byte what nobody disturbed. */
	async function expectUndisturbed(end: CliEnd, from: S3Lake): Promise<void> {
		expect(documentOf(end)).toMatchObject({ exit_code: 0, state: "published", number: 1, error: null });
		from.endpoint = server.endpoint;
		expect(await from.look()).toEqual({ number: 1, digest: undisturbed });
		expect(await from.verify()).toMatchObject({ code: 0 });
	}

	/** Meets each key's first put with this fate. */
	function firstPut(matches: RegExp, fate: Fate): { met: string[] } {
		const met: string[] = [];
		proxy.judge = ({ method, key }) => {
			if (method !== "PUT" || !matches.test(key) || met.includes(key)) return "pass";
			met.push(key);
			return fate;
		};
		return { met };
	}

	test("29: answers to records are lost, and the next try is refused: they are the lake's own", async () => {
		const { met } = firstPut(RECORD, "lose");
		const end = await lake.mirror();
		// Two receipts, the snapshot, four commits, latest.json.
		expect(met).toHaveLength(8);
		for (const key of met) expect(proxy.count(new RegExp(`^PUT ${key}`))).toBeGreaterThanOrEqual(2);
		await expectUndisturbed(end, lake);
	}, 120_000);

	test("29: answers to objects and parquet are lost: they are put again", async () => {
		const { met } = firstPut(/\.(webp|parquet)$/, "lose");
		const end = await lake.mirror();
		expect(met.length).toBeGreaterThan(8);
		await expectUndisturbed(end, lake);
	}, 120_000);

	test("29: a commit whose answer is lost, while another's commit stands: not its own", async () => {
		const [first, second] = [await fresh("base"), lake];
		expect(await first.mirror({ shards: ["test_1"] })).toMatchObject({ code: 0 });
		const claim = /tables\/images\/_delta_log\/0{20}\.json$/;
		proxy.judge = async ({ method, key }) => {
			if (method !== "PUT" || !claim.test(key)) return "pass";
			proxy.judge = () => "pass";
			// Another publisher's commit comes first, and this one's answer breaks off.
			const copied = await first.keys();
			for (const path of copied.filter((one) => !one.startsWith(".irlake/") && one !== "latest.json")) {
				await first.copyTo(second.prefix, path);
			}
			return "reset";
		};
		const end = await second.mirror({ shards: ["validation_1"] });
		expect(documentOf(end)).toMatchObject({ exit_code: 0, number: 2 });
		second.endpoint = server.endpoint;
		expect(await second.pinned()).toBe(2);
		expect(await second.verify()).toMatchObject({ code: 0 });
	}, 120_000);

	test("bytes altered on their way are refused by the server, and sent again", async () => {
		const { met } = firstPut(/\.(webp|parquet|json)$/, { altered: true });
		const end = await lake.mirror();
		expect(met.length).toBeGreaterThan(20);
		await expectUndisturbed(end, lake);
	}, 120_000);

	test("409 ConditionalRequestConflict is tried again", async () => {
		const { met } = firstPut(RECORD, { status: 409, code: "ConditionalRequestConflict" });
		const end = await lake.mirror();
		expect(met).toHaveLength(8);
		await expectUndisturbed(end, lake);
	}, 120_000);

	test("a fifth of all requests fail, in every way there is", async () => {
		const random = new Random("s3-faults");
		const fates: Fate[] = [
			{ status: 500, code: "InternalError" },
			{ status: 503, code: "SlowDown" },
			{ status: 400, code: "RequestTimeout" },
			"reset",
			"lose",
			{ delayMs: 300 },
		];
		let failed = 0;
		proxy.judge = ({ method }) => {
			if (random.int(1, 5) > 1) return "pass";
			failed += 1;
			// The answer to a HEAD has no body, and so no code: there, 400 would be an answer for good.
			return fates[random.int(0, method === "HEAD" ? 1 : fates.length - 1)] as Fate;
		};
		const end = await lake.mirror();
		expect(failed).toBeGreaterThan(5);
		await expectUndisturbed(end, lake);
	}, 120_000);

	test("a store that stays down: exit 1, bucket and key named, and the next run ends it", async () => {
		proxy.judge = ({ key }) => (key.includes("/tables/pairs/") ? { status: 503, code: "ServiceUnavailable" } : "pass");
		const end = await lake.mirror();
		expect(end.code).toBe(1);
		const { error, state } = JSON.parse(end.stdout);
		expect(state).toBe("failed");
		expect(error).toMatchObject({ code: "LAKE_UNAVAILABLE" });
		expect(error.message).toContain(server.bucket);
		expect(error.path).toContain(`${lake.address}/tables/pairs/`);
		expect(end.stderr).toContain("Trying again in ");
		lake.endpoint = server.endpoint;
		expect(await lake.pinned()).toBe(0);
		await expectUndisturbed(await lake.mirror(), lake);
	}, 180_000);

	test("34: no space on the scratch disk for objects: exit 1, and the next run ends it", async () => {
		const fault = { op: "rename", match: "/staged/", nth: 2, lasting: true, do: "ENOSPC", host: true } as const;
		const end = await lake.mirror({ fault });
		expect(end.code).toBe(1);
		expect(documentOf(end).error).toMatchObject({ code: "NO_SPACE", path: expect.stringContaining(lake.scratch) });
		expect(await lake.pinned()).toBe(0);
		expect((await lake.keys()).filter((key) => key.startsWith("objects/"))).toEqual([]);
		await expectUndisturbed(await lake.mirror(), lake);
	}, 120_000);

	/** A server that takes every put, whatever its condition. */
	function withoutConditions(): void {
		proxy.judge = ({ method, key, headers, body }) => {
			if (method !== "PUT" || (!headers["if-none-match"] && !headers["if-match"])) return "pass";
			const instead = async () => {
				const put = new PutObjectCommand({ Bucket: server.bucket, Key: key, Body: body });
				return { ETag: (await server.client.send(put)).ETag ?? "" };
			};
			return { instead };
		};
	}

	test("32: a server without conditional writes is refused before anything is written", async () => {
		withoutConditions();
		const end = await lake.mirror();
		expect(end.code).toBe(2);
		expect(documentOf(end).error).toMatchObject({ code: "LAKE_UNSUPPORTED", path: lake.address });
		expect(documentOf(end).error?.message).toContain("Conditional writes do not work");
		expect(documentOf(end).error?.hint).toContain("--single-writer");
		expect(documentOf(end).bytes_downloaded).toBeLessThan(100_000);
		expect(await lake.keys()).toEqual([]);
	}, 120_000);

	test("32: doctor says so", async () => {
		withoutConditions();
		const end = await (await lake.start(["doctor", "--shards", "test_1"])).ended;
		expect(end.code).toBe(1);
		const { checks } = JSON.parse(end.stdout) as { checks: { name: string; state: string }[] };
		const failed = checks.filter(({ state }) => state === "failed").map(({ name }) => name);
		expect(failed).toEqual(["lake_conditions"]);
		expect(await lake.keys()).toEqual([]);
	}, 120_000);

	test("32: one that answers 501 to them is refused as well", async () => {
		proxy.judge = ({ headers }) =>
			headers["if-none-match"] || headers["if-match"] ? { status: 501, code: "NotImplemented" } : "pass";
		const end = await lake.mirror();
		expect(end.code).toBe(2);
		expect(documentOf(end).error).toMatchObject({ code: "LAKE_UNSUPPORTED" });
		expect(await lake.keys()).toEqual([]);
	}, 120_000);

	test("32: with --single-writer it is used, and the user is told", async () => {
		withoutConditions();
		const end = await lake.mirror({ args: ["--single-writer"] });
		expect(end.stderr).toContain("let nobody else write to this lake");
		await expectUndisturbed(end, lake);
	}, 120_000);

	test.each([
		["a wrong secret", { AWS_SECRET_ACCESS_KEY: "wrong-secret-0123456789" }, "LAKE_UNWRITABLE"],
		["an unknown key", { AWS_ACCESS_KEY_ID: "nobody" }, "LAKE_UNWRITABLE"],
		[
			"no credentials",
			{
				AWS_ACCESS_KEY_ID: "",
				AWS_SECRET_ACCESS_KEY: "",
				AWS_CONFIG_FILE: "/none",
				AWS_SHARED_CREDENTIALS_FILE: "/none",
			},
			"LAKE_UNWRITABLE",
		],
		["a bucket that is not there", { IRLAKE_LAKE: "s3://nowhere/lake" }, "LAKE_NOT_FOUND"],
	])(
		"%s: exit 2 before anything is done, and no secret is told",
		async (_name, env, code) => {
			const commands = code === "LAKE_NOT_FOUND" ? [["verify"]] : [];
			for (const args of [["mirror", "--shards", "test_1"], ...commands]) {
				const end = await (await lake.start(args, { ...env, LOG_LEVEL: "debug" })).ended;
				expect(end.code).toBe(2);
				expect(documentOf(end).error).toMatchObject({ code });
				const secrets = [server.env().AWS_SECRET_ACCESS_KEY, "wrong-secret-0123456789", "AWS4-HMAC"];
				for (const secret of secrets) expect(end.stdout + end.stderr).not.toContain(secret);
			}
			expect(await lake.keys()).toEqual([]);
		},
		120_000,
	);
});
