import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runCli } from "../../support/cli.js";
import { type Lake, World } from "../../support/world.js";

/** Records of vacuum that are damaged or lost: each command says which, and how to mend it; then all is well again. */

const FOLDER = ".irlake/vacuum";
let world: World;
/** Snapshots 1 and 2, of which vacuum left the second. */
let swept: Lake;
/** The same, where vacuum has marked. */
let marked: Lake;

beforeAll(async () => {
	world = await World.open("vacuum-records", { shards: ["test_1"], images: 4, size: 48 });
	marked = world.lake("marked");
	expect(await marked.mirror()).toMatchObject({ code: 0 });
	await world.change("test", 2);
	expect(await marked.mirror()).toMatchObject({ code: 0 });
	expect(await vacuum(marked, "--keep", "1", "--yes")).toMatchObject({ mode: "marked" });
	swept = marked.copy("swept");
	expect(await vacuum(swept, "--keep", "1", "--yes")).toMatchObject({ mode: "swept" });
}, 120_000);
afterAll(() => world.close());

async function run(lake: Lake, command: string[], ...args: string[]) {
	const scratch = ["status", "rollback"].includes(command[0] ?? "") ? [] : ["--scratch", lake.scratch];
	const end = await runCli([...command, "--lake", lake.path, ...scratch, ...args, "--json"], { LOG_LEVEL: "error" });
	return JSON.parse(end.stdout);
}

function vacuum(lake: Lake, ...args: string[]) {
	return run(lake, ["vacuum"], "--grace", "0", ...args);
}

test("first-kept.json damaged: verify and status go on, vacuum and rollback say the cure, which mends it", async () => {
	const lake = swept.copy("first-kept");
	const path = `${FOLDER}/first-kept.json`;
	writeFileSync(join(lake.path, path), "junk\n");
	const audit = await run(lake, ["verify"]);
	expect(audit).toMatchObject({ exit_code: 4, problems: [{ code: "RECORD_INVALID", path }] });
	expect(audit.problems).toHaveLength(1);
	const found = await run(lake, ["status"]);
	expect(found).toMatchObject({ exit_code: 0, lake: { damaged: path } });
	expect(found.lake.snapshots.map(({ whole }: { whole: boolean | null }) => whole)).toEqual([null, true]);
	const told = await runCli(["status", "--lake", lake.path]);
	expect(told.stdout).toMatch(/Delete it; the next\s+irlake\s+vacuum\s+--yes writes it again/);
	for (const command of [
		["vacuum", "--yes"],
		["rollback", "1"],
	]) {
		const { exit_code, error } = await run(lake, command);
		expect({ exit_code, error }).toMatchObject({ exit_code: 1, error: { code: "LAKE_DAMAGED", path } });
		expect(error.hint).toMatch(/Delete it; the next irlake vacuum --yes writes it again/);
	}
	rmSync(join(lake.path, path));
	expect(await vacuum(lake, "--keep", "1", "--yes")).toMatchObject({ mode: "clean", given_up: [1] });
	expect(await lake.verify()).toMatchObject({ code: 0 });
}, 60_000);

test("marks or a sweep damaged: verify, vacuum and a publish name the file and the cure", async () => {
	const lake = marked.copy("marks");
	const name = readdirSync(join(lake.path, FOLDER)).find((one) => one.endsWith(".marks.json")) ?? "";
	const sweep = name.replace("marks", "sweep");
	for (const record of [name, sweep]) {
		const path = `${FOLDER}/${record}`;
		const before = record === name ? readFileSync(join(lake.path, path)) : null;
		writeFileSync(join(lake.path, path), "{}");
		const audit = await run(lake, ["verify"]);
		expect(audit).toMatchObject({ exit_code: 4, problems: [{ code: "RECORD_INVALID", path }] });
		for (const command of [
			["vacuum", "--yes"],
			["rollback", "1"],
		]) {
			const { exit_code, number, error } = await run(lake, command);
			expect({ exit_code, error }).toMatchObject({ exit_code: 1, error: { code: "LAKE_DAMAGED", path } });
			expect(error.hint).toMatch(/Delete it/);
			expect(number ?? null).toBe(null);
		}
		if (before) writeFileSync(join(lake.path, path), before);
		else rmSync(join(lake.path, path));
	}
	expect(await lake.verify()).toMatchObject({ code: 0 });
	rmSync(join(lake.path, FOLDER, name));
	expect(await run(lake, ["rollback", "1"])).toMatchObject({ exit_code: 0, number: 3 });
	expect(await lake.verify()).toMatchObject({ code: 0 });
}, 60_000);

test("the records lost after a sweep: vacuum says which --keep is whole, and that writes them again", async () => {
	const lake = swept.copy("lost");
	rmSync(join(lake.path, ".irlake"), { recursive: true });
	expect(await lake.verify()).toMatchObject({ code: 4 });
	const { exit_code, error } = await vacuum(lake, "--yes");
	expect({ exit_code, error }).toMatchObject({ exit_code: 1, error: { code: "LAKE_DAMAGED" } });
	expect(error.hint).toMatch(/--keep 1 --yes/);
	expect(await vacuum(lake, "--keep", "1", "--yes")).toMatchObject({ mode: "clean", kept: [2] });
	expect(JSON.parse(readFileSync(join(lake.path, FOLDER, "first-kept.json"), "utf8"))).toMatchObject({ first_kept: 2 });
	expect(await lake.verify()).toMatchObject({ code: 0 });
	expect(await vacuum(lake, "--yes")).toMatchObject({ mode: "clean", kept: [2], given_up: [1] });
}, 60_000);
