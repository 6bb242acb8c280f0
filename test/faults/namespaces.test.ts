import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect } from "@jest/globals";
import { DEAD_SECONDS } from "../../pipelines/scratch/marks.js";
import type { CliProcess } from "../support/cli.js";
import { digestOf } from "../support/lake.js";
import { NAMESPACES, setBack, UNSHARE } from "../support/namespace.js";
import { inState, type Lake, World } from "../support/world.js";

/** Mirrors in two pid namespaces, as two containers have, share one scratch folder and take nothing live from each other. */

const TAKEN = /TAKEN_OVER|no longer|begins again|Trying again|ENOENT/;
/** Slow enough that a download takes seconds. */
const options = { shards: ["test_1", "test_2"], images: 8, size: 512, bytesPerSecond: 1_500_000 };

let world: World;
let undisturbed: string;
/** Bytes of all zips. Metadata is fetched by the first, and found by the next. */
let total: number;

beforeAll(async () => {
	world = await World.open("namespaces", options);
	const lake = world.lake("reference");
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
	total = await fetched();
}, 300_000);

afterAll(() => world.close());

async function fetched(): Promise<number> {
	const { paths } = await world.hub.counters();
	const zips = Object.entries(paths).filter(([path]) => path.endsWith(".zip"));
	return zips.reduce((sum, [, { bytes }]) => sum + bytes, 0);
}

function parts({ scratch }: Lake): { path: string; owner: string; bytes: number }[] {
	const folder = join(scratch, "parts");
	if (!existsSync(folder)) return [];
	return readdirSync(folder).flatMap((name) => {
		const path = join(folder, name);
		const bytes = statSync(path, { throwIfNoEntry: false })?.size;
		return bytes === undefined ? [] : [{ path, owner: name.replace(/^[0-9a-f]+\.|(-\d+)?\.part$/g, ""), bytes }];
	});
}

/** Waits until so many processes have parts in the lake's scratch folder, with at least so many bytes in all. */
async function downloading(lake: Lake, commands: CliProcess[], owners: number, bytes: number): Promise<void> {
	for (;;) {
		const found = parts(lake);
		const sum = found.reduce((all, part) => all + part.bytes, 0);
		if (new Set(found.map(({ owner }) => owner)).size === owners && sum >= bytes) return;
		for (const { child, ended } of commands) if (child.exitCode !== null) throw new Error((await ended).stderr);
		await setTimeout(5);
	}
}

/** The mark of the only process that works in the lake's scratch folder. */
function onlyMark({ scratch }: Lake): string {
	const [name = "", ...others] = readdirSync(join(scratch, "owners"));
	expect(others).toEqual([]);
	return join(scratch, "owners", name);
}

/** The mirror's own pid: `unshare` runs it as its child. */
function mirrorOf({ pid }: CliProcess): number {
	return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim());
}

NAMESPACES(
	"two at once both end well, and each fetches what it would fetch alone",
	async () => {
		const one = world.lake("one");
		const lakes = [one, one.at(world.fresh("two"))];
		await world.hub.reset();
		const commands = await Promise.all(lakes.map((lake) => lake.start({ before: UNSHARE })));
		await downloading(one, commands, 2, total / 4);
		const ends = await Promise.all(commands.map(({ ended }) => ended));
		for (const [at, end] of ends.entries()) {
			expect(end).toMatchObject({ code: 0, stderr: expect.not.stringMatching(TAKEN) });
			expect(digestOf(lakes[at]?.path ?? "")).toBe(undisturbed);
		}
		expect(await fetched()).toBe(2 * total);
		expect(existsSync(join(one.scratch, "owners"))).toBe(false);
	},
	120_000,
);

NAMESPACES(
	"the parts of one that was killed are left alone at first, and gone on with after a minute",
	async () => {
		const killed = world.lake("killed");
		const command = await killed.start({ before: UNSHARE });
		await downloading(killed, [command], 1, total / 3);
		command.kill("SIGKILL");
		await command.ended;
		await inState(command.pid, [null]);
		const left = parts(killed);
		const kept = left.reduce((sum, { bytes }) => sum + bytes, 0);
		const mark = onlyMark(killed);

		await world.hub.reset();
		const early = killed.at(world.fresh("early"));
		expect(await early.mirror()).toMatchObject({ code: 0 });
		expect(await fetched()).toBe(total);
		expect(parts(killed)).toEqual(left);

		setBack(mark, DEAD_SECONDS + 1);
		await world.hub.reset();
		expect(await killed.mirror()).toMatchObject({ code: 0 });
		expect(await fetched()).toBe(total - kept);
		expect(digestOf(killed.path)).toBe(undisturbed);
		expect(existsSync(mark)).toBe(false);
	},
	120_000,
);

NAMESPACES(
	"one that is suspended for over a minute loses its parts, notices, and begins again",
	async () => {
		const suspended = world.lake("suspended");
		const command = await suspended.start({ before: UNSHARE });
		await downloading(suspended, [command], 1, total / 3);
		const pid = mirrorOf(command);
		process.kill(pid, "SIGSTOP");
		await inState(pid, ["T"]);
		const left = parts(suspended);
		setBack(onlyMark(suspended), DEAD_SECONDS + 1);

		const other = suspended.at(world.fresh("other"));
		expect(await other.mirror()).toMatchObject({ code: 0 });
		expect(digestOf(other.path)).toBe(undisturbed);
		for (const { path } of left) expect(existsSync(path)).toBe(false);

		process.kill(pid, "SIGCONT");
		const end = await command.ended;
		expect(end).toMatchObject({ code: 0, stderr: expect.stringMatching(/TAKEN_OVER/) });
		expect(end.stderr).not.toMatch(/begins again/);
		expect(digestOf(suspended.path)).toBe(undisturbed);
		expect(parts(suspended)).toEqual([]);
	},
	120_000,
);
