import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CliProcess, documentOf } from "../support/cli.js";
import type { Fault } from "../support/fault.js";
import { digestOf, lakeFiles } from "../support/lake.js";
import { type Lake, World } from "../support/world.js";

/** A selective mirror that ends amid its parts leaves nothing that is taken for whole; the next run fetches them again. */

const ZIP = "images/train/train_1.zip";
const WHERE = ["--where", "md5(image_path) < '1a'"];

let world: World;
let undisturbed: string;

beforeAll(async () => {
	world = await World.open("ranges-kill", { shards: ["train_1"], images: 60, size: 128 });
	const lake = world.lake("reference");
	expect(await lake.mirror({ args: WHERE })).toMatchObject({ code: 0 });
	undisturbed = digestOf(lake.path);
}, 300_000);

afterAll(() => world.close());

function sparse(lake: Lake): string[] {
	const folder = join(lake.scratch, "ranges");
	return existsSync(folder) ? readdirSync(folder) : [];
}

/** A mirror that waits for a member's bytes. */
async function fetching(lake: Lake): Promise<CliProcess> {
	await world.hub.reset();
	await world.hub.faults([{ match: { route: "cdn", path: ZIP }, after: 3, times: 100, kind: "hang" }]);
	const command = await lake.start({ args: WHERE });
	while (((await world.hub.counters()).faults.hang ?? 0) === 0) {
		if (command.child.exitCode !== null) throw new Error((await command.ended).stderr);
	}
	await world.hub.faults([]);
	return command;
}

test.each([
	["SIGKILL", null, 1],
	["SIGINT", 130, 0],
] as const)(
	"%s: exit %p",
	async (signal, code, left) => {
		const lake = world.lake(signal);
		const command = await fetching(lake);
		expect(sparse(lake)).toHaveLength(1);
		command.kill(signal);
		expect(await command.ended).toMatchObject({ code });
		expect(sparse(lake)).toHaveLength(left);
		expect(lakeFiles(lake.path)).toEqual([]);
		// Nor is it taken for the whole zip, by a mirror that wants all of it.
		const all = lake.at(world.fresh("all"));
		expect(await all.mirror()).toMatchObject({ code: 0 });
		expect(sparse(lake)).toEqual([]);
		expect(await lake.mirror({ args: WHERE })).toMatchObject({ code: 0 });
		expect(digestOf(lake.path)).toBe(undisturbed);
	},
	120_000,
);

test.each<[string, Fault, string]>([
	["a full disk", { op: "write", match: ".sparse", nth: 2, do: "ENOSPC" }, "NO_SPACE"],
	["a disk that fails", { op: "write", match: ".sparse", nth: 2, do: "EIO" }, "USAGE"],
	["a folder that cannot be made", { op: "mkdir", match: "/ranges", do: "EACCES" }, "USAGE"],
])(
	"%s amid the parts: told by its code, and nothing is left",
	async (_, fault, code) => {
		const lake = world.lake("disk");
		const end = await lake.mirror({ args: WHERE, fault });
		expect([end.code, documentOf(end).error?.code]).toEqual([1, code]);
		expect(documentOf(end).error?.path).toContain(lake.scratch);
		expect(sparse(lake)).toEqual([]);
		expect(await lake.mirror({ args: WHERE })).toMatchObject({ code: 0 });
		expect(digestOf(lake.path)).toBe(undisturbed);
	},
	120_000,
);
