import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { describeS3 } from "../support/describe-s3.js";
import { digestOf } from "../support/lake.js";
import { lakeDigest, python } from "../support/python.js";
import { redisOrSkip } from "../support/redis-or-skip.js";
import { S3Server } from "../support/s3.js";
import { S3Lake } from "../support/s3-lake.js";
import { Fleet } from "./fleet.js";

/** Workers that share no disk: the lake on S3 is, key by key, that of one process in a folder. */

const [withRedis, withS3] = [await redisOrSkip(), await describeS3()];
const describeBoth = withRedis === describe ? withS3 : withRedis;
const SHARDS = ["train_1", "train_2", "train_3", "validation_1", "test_1", "test_2"];

async function digest(lake: string): Promise<string> {
	return (await python()) === null ? digestOf(lake) : lakeDigest(lake);
}

describeBoth("a fleet's lake on S3", () => {
	let fleet: Fleet;
	let server: S3Server;
	let undisturbed: string;

	beforeAll(async () => {
		fleet = await Fleet.open("fleet-s3", { shards: SHARDS, images: 6, size: 64 });
		server = await S3Server.start();
		const lake = fleet.world.lake("reference");
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		undisturbed = await digest(lake.path);
	}, 300_000);
	afterAll(async () => {
		await fleet.close();
		await server.stop();
	});

	test.each([1, 2, 4])(
		"is that of one process in a folder: %i workers",
		async (count) => {
			const stored = new S3Lake(fleet.world, server, `workers-${count}`);
			const lake = fleet.lakeAt(stored.address, server.env());
			await Promise.all(Array.from({ length: count }, () => lake.worker()));
			const end = await lake.mirrored();
			expect(end.stderr).toBe("");
			expect(documentOf(end)).toMatchObject({ exit_code: 0, state: "published", number: 1 });
			expect(await digest(await stored.download())).toBe(undisturbed);
			expect(await lake.stopWorkers()).toEqual(Array(count).fill(expect.objectContaining({ code: 0 })));
			expect(JSON.stringify(await fleet.redis.client.keys("*"))).not.toContain("irlake-test-secret");
		},
		180_000,
	);
});
