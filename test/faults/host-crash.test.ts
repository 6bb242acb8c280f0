import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CliProcess, documentOf } from "../support/cli.js";
import { digestOf } from "../support/lake.js";
import { appeared, inState, type Lake, processState, World } from "../support/world.js";

/** The process that decodes images may die, or lose its parent: no image is lost, no process left, no byte different. */

/** Gone, or dead and not yet waited for by the process that adopted it. */
const ENDED = [null, "Z"];

let world: World;
let undisturbed: string;
const hosts: number[] = [];

beforeAll(async () => {
	world = await World.open("host-crash", { shards: ["test_1", "test_2"], images: 12, size: 96 });
	const lake = world.lake("reference");
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
}, 300_000);

afterAll(async () => {
	for (const host of hosts) if (!ENDED.includes(processState(host))) process.kill(host, "SIGKILL");
	await world.close();
});

/** A mirror whose image host has stopped in the middle of its work, after so many objects of one thread. */
async function stoppedHost(lake: Lake, nth: number): Promise<{ command: CliProcess; host: number }> {
	const marker = world.fresh("marker");
	const command = await lake.start({
		fault: { op: "sync", match: "/staged/", nth, do: "SIGSTOP", host: true, marker },
	});
	await appeared(marker, command);
	const host = Number(readFileSync(marker, "utf8"));
	hosts.push(host);
	await inState(host, ["T"]);
	return { command, host };
}

test.each([1, 3, 6])(
	"SIGKILL of the host at a thread's image %i: the run ends well, with the same bytes",
	async (nth) => {
		const lake = world.lake("crashed");
		const { command, host } = await stoppedHost(lake, nth);
		process.kill(host, "SIGKILL");
		const end = await command.ended;
		expect(end).toMatchObject({ code: 0 });
		expect(documentOf(end)).toMatchObject({ state: "published", number: 1 });
		expect(digestOf(lake.path)).toBe(undisturbed);
		expect(await lake.verify()).toMatchObject({ code: 0 });
	},
	120_000,
);

test("a host whose parent is killed ends by itself", async () => {
	const { command, host } = await stoppedHost(world.lake("orphaned"), 2);
	command.kill("SIGKILL");
	await command.ended;
	process.kill(host, "SIGCONT");
	await inState(host, ENDED);
}, 60_000);
