import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CliProcess, documentOf } from "../support/cli.js";
import { digestOf, filesEnding, lakeFiles } from "../support/lake.js";
import { type Lake, World } from "../support/world.js";

/** A signal ends a mirror cleanly, what was downloaded is kept, and the next run goes on at the byte. */

const ZIP = "images/test/test_1.zip";

let world: World;
let undisturbed: string;
/** Bytes of the zip. */
let size: number;

beforeAll(async () => {
	// Two to three seconds for the zip.
	world = await World.open("interrupt", { shards: ["test_1"], images: 8, size: 512, bytesPerSecond: 1_000_000 });
	const lake = world.lake("reference");
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
	size = (await world.hub.counters()).paths[ZIP]?.bytes ?? 0;
	expect(size).toBeGreaterThan(2_000_000);
}, 300_000);

afterAll(() => world.close());

/** A mirror in the middle of its download. */
async function downloading(lake: Lake): Promise<CliProcess> {
	await world.hub.reset();
	const command = await lake.start();
	while (((await world.hub.counters()).paths[ZIP]?.bytes ?? 0) < size / 2) {
		if (command.child.exitCode !== null) throw new Error((await command.ended).stderr);
	}
	return command;
}

function partBytes(lake: Lake): number {
	return filesEnding(lake.scratch, ".part").reduce((sum, { bytes }) => sum + bytes, 0);
}

test.each([
	["SIGINT", 130],
	["SIGTERM", 143],
] as const)(
	"%s once: exit %i, and the next run goes on at the byte",
	async (signal, code) => {
		const lake = world.lake("interrupted");
		const command = await downloading(lake);
		command.kill(signal);
		const end = await command.ended;
		expect(end).toMatchObject({ code, signal: null });
		expect(documentOf(end)).toMatchObject({
			state: "interrupted",
			exit_code: code,
			snapshot: null,
			counts: null,
			error: { code: "INTERRUPTED" },
		});
		expect(end.stderr).not.toMatch(/^\s+at /m);
		const kept = partBytes(lake);
		expect(kept).toBeGreaterThan(0);
		expect(kept).toBeLessThan(size);
		expect(lakeFiles(lake.path)).toEqual([]);

		await world.hub.reset();
		const second = await lake.mirror();
		expect(second).toMatchObject({ code: 0 });
		expect((await world.hub.counters()).paths[ZIP]).toMatchObject({ downloads: 1, ranges: [[kept, size]] });
		// What an earlier run fetched was not downloaded by this one.
		expect(documentOf(second).bytes_downloaded).toBe(size - kept);
		expect(digestOf(lake.path)).toBe(undisturbed);
	},
	120_000,
);

test("SIGINT twice ends at once, and the next run goes on all the same", async () => {
	const lake = world.lake("twice");
	const command = await downloading(lake);
	command.kill("SIGINT");
	command.kill("SIGINT");
	const end = await command.ended;
	expect(end).toMatchObject({ code: 130, signal: null });
	expect(lakeFiles(lake.path)).toEqual([]);
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	expect(digestOf(lake.path)).toBe(undisturbed);
}, 120_000);
