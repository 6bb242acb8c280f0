import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { endBytes } from "../../pipelines/fetch/ranged-zip.js";
import { startCli } from "../support/cli.js";
import { Lab } from "../support/lab.js";
import { digestOf, lakeFiles } from "../support/lake.js";
import { appeared } from "../support/world.js";
import type { FaultOrder } from "../tools/hub/faults.js";

/** A repair fetches no more of a zip than its directory and the images it needs, whatever befalls the parts on their way. */

const ZIP = "images/test/test_1.zip";
let lab: Lab;
let lake: string;
let good: string;
/** Objects that each test damages, far from the zip's end for the most part. */
let damaged: { path: string; content: Buffer }[];

beforeAll(async () => {
	lab = await Lab.open("repair-faults", { shards: ["test_1"], images: 60, size: 512 });
	lake = lab.path("lake");
	expect(await lab.mirror("lake")).toMatchObject({ state: "published" });
	good = digestOf(lake);
	const objects = lakeFiles(lake).filter((path) => path.startsWith("objects/"));
	damaged = objects.slice(0, 2).map((path) => ({ path, content: readFileSync(join(lake, path)) }));
}, 120_000);
afterAll(() => lab.close());

afterEach(async () => {
	await lab.hub.faults([]);
	for (const { path, content } of damaged) writeFileSync(join(lake, path), content);
	expect(readdirSync(lab.path("cache/irlake/ranges"))).toEqual([]);
	expect(readdirSync(lab.path("cache/irlake/work"))).toEqual([]);
});

/** Damages the objects, and repairs with these faults on the way. */
async function repair(faults: FaultOrder[]) {
	for (const { path } of damaged) rmSync(join(lake, path), { force: true });
	await lab.hub.reset();
	await lab.hub.faults(faults);
	const retries = ["--retries", "3", "--retry-wait", "0", "--idle-timeout", "1"];
	const end = await lab.run(["verify", "--lake", lake, "--repair", "--json", ...retries]);
	const { bytes = 0 } = (await lab.hub.counters()).paths[ZIP] ?? {};
	return { code: end.code, bytes, ...JSON.parse(end.stdout) };
}

const onZip = { route: "cdn", path: ZIP } as const;

test("two images of sixty: their bytes, the directory twice, and little more", async () => {
	const end = await repair([]);
	expect(end).toMatchObject({ code: 0, repaired: damaged.map(({ path }) => ({ code: "OBJECT_MISSING", path })) });
	expect(digestOf(lake)).toBe(good);
	const images = damaged.reduce((sum, { content }) => sum + content.length, 0);
	expect(end.bytes).toBeGreaterThanOrEqual(images);
	// Fetched twice over, since nothing vouches for it: the zip's end, with its directory.
	const zip = readFileSync(join(lab.source, ZIP)).length;
	expect(end.bytes).toBeLessThan(2 * endBytes(zip) + images + 8 * 1024);
	expect(end.bytes / zip).toBeLessThan(0.05);
}, 60_000);

test.each([
	["a part breaks off", { match: onZip, after: 2, times: 1, kind: "reset-after", bytes: 5000 }],
	["a part ends early", { match: onZip, after: 2, times: 1, kind: "end-early", bytes: 5000 }],
	["a part stalls", { match: onZip, after: 2, times: 1, kind: "stall-after", bytes: 5000 }],
	["a part arrives wrong", { match: onZip, after: 2, times: 1, kind: "wrong-bytes", bytes: 5000 }],
	["the address runs out", { match: onZip, after: 2, times: 1, kind: "expired" }],
] as [string, FaultOrder][])(
	"%s: it is mended all the same",
	async (_, fault) => {
		expect(await repair([fault])).toMatchObject({ code: 0, problems: [] });
		expect(digestOf(lake)).toBe(good);
	},
	60_000,
);

test.each([
	["is wrong each time", { match: onZip, times: 1000, kind: "wrong-bytes", bytes: 5000 }, /CRC/],
	["never comes", { match: onZip, times: 1000, kind: "status", status: 503 }, /HUB_UNAVAILABLE/],
] as [string, FaultOrder, RegExp][])(
	"a part that %s: the object stays as it is, and the reason is told",
	async (_, fault, why) => {
		const end = await repair([fault]);
		expect(end).toMatchObject({ code: 4, ok: false, repaired: [], error: null });
		for (const { detail } of end.problems as { detail: string }[]) expect(detail).toMatch(why);
		expect(damaged.filter(({ path }) => existsSync(join(lake, path)))).toEqual([]);
	},
	60_000,
);

test("Ctrl-C ends it with 130, leaves nothing half done, and the next one mends all", async () => {
	for (const { path } of damaged) rmSync(join(lake, path), { force: true });
	await lab.hub.faults([{ match: onZip, after: 2, times: 1000, kind: "hang" }]);
	const marker = lab.path("cache/irlake/ranges");
	rmSync(marker, { recursive: true });
	const command = await startCli(["verify", "--lake", lake, "--repair", "--json"], lab.env());
	await appeared(marker, command);
	command.kill("SIGINT");
	const { code, stdout } = await command.ended;
	expect({ code, document: JSON.parse(stdout) }).toMatchObject({
		code: 130,
		document: { error: { code: "INTERRUPTED" } },
	});
	expect(damaged.filter(({ path }) => existsSync(join(lake, path)))).toEqual([]);
	expect(await repair([])).toMatchObject({ code: 0 });
	expect(digestOf(lake)).toBe(good);
}, 60_000);
