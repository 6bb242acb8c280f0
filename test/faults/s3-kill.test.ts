import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { CliProcess } from "../support/cli.js";
import { describeS3 } from "../support/describe-s3.js";
import type { Fault } from "../support/fault.js";
import { S3Server } from "../support/s3.js";
import { S3Lake } from "../support/s3-lake.js";
import { S3Proxy } from "../support/s3-proxy.js";
import { twoAtOnce, World } from "../support/world.js";
import { Random } from "../tools/sample/random.js";

/**
 * A mirror to S3 that is killed by SIGKILL at any point leaves readers the old snapshot or the new one, and the next run
 * ends with the very bytes of one that nobody disturbed, and with no upload left open.
 */

const describeServer = await describeS3();
const SHARDS = ["train_1", "test_1"];
const IMAGES = 6;
const random = new Random("s3-kill");

/** Which request of a key that matches brings the kill, and whether the server carries it out first. */
interface Moment {
	key: RegExp;
	nth: number;
	when: "before" | "after";
}

const put = (key: RegExp, nth: number, when: Moment["when"]): Moment => ({ key, nth, when });
const LOGS = ["images", "prompts", "pairs", "quarantine"].map((table) => new RegExp(`/tables/${table}/_delta_log/`));

/** Moments while the shards are made. */
const MAKING: Moment[] = [
	put(/\/objects\//, random.int(1, 6), "before"),
	put(/\/objects\//, random.int(7, 12), "after"),
	put(/\.parquet$/, random.int(1, 3), "before"),
	put(/\.parquet$/, random.int(4, 6), "after"),
	put(/\/receipts\//, 1, "before"),
	put(/\/receipts\//, 2, "after"),
	put(/\/snapshots\//, 1, "before"),
];
/** Moments while the second snapshot is published: between the tables' commits, and around latest.json. */
const PUBLISHING: Moment[] = [
	put(/\/snapshots\//, 1, "after"),
	...LOGS.map((log, at) => put(log, 1, at % 2 === 0 ? "after" : "before")),
	put(/\/latest\.json$/, 1, "before"),
	put(/\/latest\.json$/, 1, "after"),
];

describeServer("a mirror to S3", () => {
	let server: S3Server;
	let world: World;
	let first: S3Lake;
	const digests = new Map<number, string>();

	beforeAll(async () => {
		server = await S3Server.start();
		world = await World.open("s3-kill", { shards: SHARDS, images: IMAGES, size: 96 });
		first = new S3Lake(world, server, "first");
		expect(await first.mirror()).toMatchObject({ code: 0 });
		digests.set(1, (await first.look()).digest);
	}, 300_000);

	afterAll(async () => {
		await world?.close();
		await server?.stop();
	});

	/** Kills the lake's mirror at the moment. */
	async function killAt(lake: S3Lake, { key: matches, nth, when }: Moment): Promise<void> {
		const proxy = await S3Proxy.start(server.endpoint);
		let command: CliProcess | undefined;
		let seen = 0;
		const kill = async () => {
			command?.kill("SIGKILL");
			await command?.ended;
		};
		proxy.judge = async ({ method, key }) => {
			if (method !== "PUT" || !matches.test(key)) return "pass";
			seen += 1;
			if (seen !== nth) return "pass";
			if (when === "after") return { after: kill };
			await kill();
			return "reset";
		};
		lake.endpoint = proxy.endpoint;
		try {
			command = await lake.startMirror();
			expect(await command.ended).toMatchObject({ signal: "SIGKILL" });
		} finally {
			lake.endpoint = server.endpoint;
			await proxy.stop();
		}
	}

	async function recover(lake: S3Lake, number: number): Promise<void> {
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		expect(await lake.look()).toEqual({ number, digest: digests.get(number) });
		expect(await server.openUploads()).toEqual([]);
	}

	test("survives kills while its shards are made", async () => {
		await twoAtOnce(MAKING, async (moment) => {
			const lake = new S3Lake(world, server, `making-${MAKING.indexOf(moment)}`);
			await killAt(lake, moment);
			expect(await lake.pinned()).toBe(0);
			await recover(lake, 1);
		});
	}, 300_000);

	test("survives a kill while images are decoded, and leaves nothing staged", async () => {
		const lake = new S3Lake(world, server, "decoding");
		const nth = random.int(1, 4);
		const fault: Fault = { op: "rename", match: "/staged/", nth, do: "kill-parent", host: true };
		expect(await lake.mirror({ fault })).toMatchObject({ code: null, signal: "SIGKILL" });
		expect(await lake.pinned()).toBe(0);
		expect(lake.staged()).not.toEqual([]);
		await recover(lake, 1);
		expect(lake.staged()).toEqual([]);
	}, 120_000);

	test("survives a kill in the middle of a download", async () => {
		const slow = await World.open("s3-kill-download", {
			shards: ["test_1"],
			images: 8,
			size: 512,
			bytesPerSecond: 2_000_000,
		});
		try {
			const undisturbed = new S3Lake(slow, server, "download-reference");
			expect(await undisturbed.mirror()).toMatchObject({ code: 0 });
			const total = (await slow.hub.counters()).cdn.bytes;
			await slow.hub.reset();
			const lake = new S3Lake(slow, server, "download");
			const command = await lake.startMirror();
			while ((await slow.hub.counters()).cdn.bytes < total / 3) expect(command.child.exitCode).toBeNull();
			command.kill("SIGKILL");
			expect(await command.ended).toMatchObject({ signal: "SIGKILL" });
			expect(await lake.mirror()).toMatchObject({ code: 0 });
			expect(await lake.look()).toEqual(await undisturbed.look());
		} finally {
			await slow.close();
		}
	}, 120_000);

	test("survives kills while a second snapshot is published", async () => {
		await world.change("train", 2);
		const reference = await first.copy("second");
		expect(await reference.mirror()).toMatchObject({ code: 0 });
		digests.set(2, (await reference.look()).digest);
		await twoAtOnce(PUBLISHING, async (moment) => {
			const lake = await first.copy(`publishing-${PUBLISHING.indexOf(moment)}`);
			await killAt(lake, moment);
			const ended = moment === PUBLISHING.at(-1);
			expect(await lake.pinned()).toBe(ended ? 2 : 1);
			await recover(lake, 2);
		});
	}, 300_000);
});
