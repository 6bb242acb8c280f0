import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../../support/cli.js";
import { describeS3 } from "../../support/describe-s3.js";
import { Lab } from "../../support/lab.js";
import { S3Server } from "../../support/s3.js";
import { S3Proxy } from "../../support/s3-proxy.js";

/** `irlake doctor` on a lake in S3: what is amiss with the server is found, and nothing is left in the bucket. */

const describeServer = await describeS3();

describeServer("doctor of a lake on S3", () => {
	let server: S3Server;
	let lab: Lab;

	beforeAll(async () => {
		server = await S3Server.start();
		lab = await Lab.open("s3-doctor", { shards: ["test_1"], images: 4, size: 32 });
	}, 300_000);

	afterAll(async () => {
		await lab?.close();
		await server?.stop();
	});

	async function keys(): Promise<string[]> {
		const { Contents = [] } = await server.client.send(new ListObjectsV2Command({ Bucket: server.bucket }));
		return Contents.map(({ Key = "" }) => Key);
	}

	interface Found {
		code: number | null;
		/** State of each check. */
		states: Record<string, string>;
		/** Detail and mending of each. */
		says: Record<string, string>;
	}

	/** Runs doctor, and holds that it leaves the bucket as it was and tells no secret. */
	async function examine(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Found> {
		const before = await keys();
		const address = args.includes("--lake") ? [] : ["--lake", `s3://${server.bucket}/some where/lake`];
		const end = await lab.run(["doctor", "--shards", "test_1", "--json", ...address, ...args], {
			...server.env(),
			...env,
		});
		expect(await keys()).toEqual(before);
		expect(end.stdout + end.stderr).not.toContain(server.env().AWS_SECRET_ACCESS_KEY);
		const checks = documentOf(end).checks as { name: string; state: string; detail: string; mend: string | null }[];
		return {
			code: end.code,
			states: Object.fromEntries(checks.map(({ name, state }) => [name, state])),
			says: Object.fromEntries(checks.map(({ name, detail, mend }) => [name, `${detail} ${mend ?? ""}`])),
		};
	}

	test("an honest server: every check of the lake is in order, clock included", async () => {
		const { code, states } = await examine({});
		expect(states).toMatchObject({ lake: "ok", lake_writes: "ok", lake_conditions: "ok", lake_clock: "ok" });
		expect(states.lake_disk).toBe("skipped");
		expect(code).toBe(0);
	}, 60_000);

	test("no such bucket, a wrong secret, nobody there: told apart, and soon", async () => {
		const absent = await examine({}, "--lake", "s3://no-such-bucket/lake");
		expect(absent).toMatchObject({ code: 1, states: { source: "ok", lake: "failed", lake_conditions: "skipped" } });
		expect(absent.says.lake).toContain("There is no bucket no-such-bucket");
		const wrong = await examine({ AWS_SECRET_ACCESS_KEY: "not-the-secret" });
		expect(wrong).toMatchObject({ code: 1, states: { source: "ok", lake: "failed" } });
		expect(wrong.says.lake).toContain("AWS_SECRET_ACCESS_KEY");
		const closed = createServer().listen(0, "127.0.0.1");
		await once(closed, "listening");
		const endpoint = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
		closed.close();
		const nobody = await examine({ AWS_ENDPOINT_URL_S3: endpoint });
		expect(nobody).toMatchObject({ code: 1, states: { source: "ok", lake: "failed" } });
		expect(nobody.says.lake).toContain("ECONNREFUSED");
	}, 90_000);

	test("a server that takes no heed of conditions fails in the race, and is a warning with --single-writer", async () => {
		const proxy = await S3Proxy.start(server.endpoint, ({ method, key, headers, body }) => {
			const conditional = headers["if-none-match"] !== undefined || headers["if-match"] !== undefined;
			if (method !== "PUT" || !conditional) return "pass";
			const put = async (): Promise<Record<string, string>> => {
				const { ETag = "" } = await server.client.send(
					new PutObjectCommand({ Bucket: server.bucket, Key: key, Body: body }),
				);
				return { etag: ETag };
			};
			return { instead: put };
		});
		try {
			const env = { AWS_ENDPOINT_URL_S3: proxy.endpoint };
			const strict = await examine(env);
			expect(strict).toMatchObject({ code: 1, states: { lake: "ok", lake_writes: "ok", lake_conditions: "failed" } });
			expect(strict.says.lake_conditions).toMatch(/racing (put|swap)s 2 won.*--single-writer/);
			expect(await examine(env, "--single-writer")).toMatchObject({ code: 0, states: { lake_conditions: "warn" } });
		} finally {
			await proxy.stop();
		}
	}, 90_000);
});
