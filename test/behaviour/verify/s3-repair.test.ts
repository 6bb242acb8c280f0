import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../../support/cli.js";
import { everyDamage } from "../../support/damage.js";
import { describeS3 } from "../../support/describe-s3.js";
import { S3Server } from "../../support/s3.js";
import { S3Lake } from "../../support/s3-lake.js";
import { S3Proxy } from "../../support/s3-proxy.js";
import { World } from "../../support/world.js";

/** `irlake verify --repair` on S3: the same damage, the same repair, and a put for what is damaged alone. */

const describeServer = await describeS3();
const SHARDS = ["test_1", "test_2"];

describeServer("a damaged lake on S3", () => {
	let server: S3Server;
	let world: World;

	beforeAll(async () => {
		server = await S3Server.start();
		world = await World.open("s3-repair", { shards: SHARDS, images: 22, size: 24, defect: true });
	}, 300_000);

	afterAll(async () => {
		await world?.close();
		await server?.stop();
	});

	test.each([
		["the Hub", []],
		["a folder", ["--source"]],
	])(
		"is mended from %s, byte by byte",
		async (_, source) => {
			const lake = new S3Lake(world, server, `lake-${source.length}`);
			expect(documentOf(await lake.mirror())).toMatchObject({ state: "published" });
			const whole = await lake.look();
			const damages = everyDamage(await lake.keys());
			for (const { path, change } of damages) {
				const at = { Bucket: server.bucket, Key: `${lake.prefix}/${path}` };
				const { Body } = await server.client.send(new GetObjectCommand(at));
				const changed = change(Buffer.from((await Body?.transformToByteArray()) ?? []));
				if (changed === null) await server.client.send(new DeleteObjectCommand(at));
				else await server.client.send(new PutObjectCommand({ ...at, Body: changed }));
			}
			const repaired = damages.map(({ code, path }) => ({ code, path })).sort((a, b) => (a.path < b.path ? -1 : 1));
			const proxy = await S3Proxy.start(server.endpoint);
			lake.endpoint = proxy.endpoint;
			try {
				expect(documentOf(await lake.verify())).toMatchObject({ ok: false, repaired: [] });
				expect(proxy.count(/^(PUT|POST|DELETE) /)).toBe(0);
				const from = source.length > 0 ? ["--source", `file://${world.source}`] : [];
				const end = await lake.verify("--repair", ...from);
				expect({ code: end.code, ...documentOf(end) }).toMatchObject({ code: 0, ok: true, problems: [], repaired });
				expect(proxy.count(/^PUT /)).toBe(damages.length);
				expect(proxy.count(/^(POST|DELETE) /)).toBe(0);
			} finally {
				lake.endpoint = server.endpoint;
				await proxy.stop();
			}
			expect(await lake.look()).toEqual(whole);
		},
		120_000,
	);
});
