import { cpSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { digestOf, latestSnapshot, readPinned } from "../support/lake.js";
import { World } from "../support/world.js";
import { startHub } from "../tools/hub/client.js";
import { BadHub, CDN, PLACE, ZIP } from "./bad-hub.js";

/** A run stays at what it listed, all of it, whatever becomes of the repository meanwhile. */

let badHub: BadHub;
beforeAll(async () => {
	badHub = await BadHub.open("listings");
}, 300_000);
afterAll(() => badHub?.world.close());
beforeEach(() => badHub.clear());

test("fault 11: of a repository that was renamed only relative redirects are followed, and the lake is the same", async () => {
	await badHub.survives([], "--source", "hf://THUDM/ImageRewardDB");
	expect((await badHub.world.hub.counters()).routes.renamed).toBe(1);
});

test("fault 14: a branch that moves in mid-run: this run stays at its commit, the next one takes the new", async () => {
	const moving = await World.open("moving", { shards: ["test_1", "test_2"], images: 24, size: 48, defect: true });
	try {
		const lake = moving.lake("lake");
		await moving.hub.faults([{ match: CDN, times: 1, kind: "stall-after", bytes: PLACE }]);
		const command = await lake.start({ args: ["--idle-timeout", "4", "--retry-wait", "0.01"] });
		while (((await moving.hub.counters()).faults["stall-after"] ?? 0) === 0) expect(command.child.exitCode).toBeNull();
		await moving.change("test", 2);
		expect(await command.ended).toMatchObject({ code: 0 });
		const { source } = latestSnapshot(lake.path);
		expect(source.commit).toBe(moving.hub.commit);
		const second = badHub.world.lake("unmoved");
		expect(await second.mirror()).toMatchObject({ code: 0 });
		expect(digestOf(lake.path)).toBe(digestOf(second.path));
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		expect(readPinned(lake.path)).toBe(2);
		expect(latestSnapshot(lake.path).source.commit).not.toBe(source.commit);
	} finally {
		await moving.close();
	}
});

test("fault 15: a shard that is not listed ends the run before any work, with its name; zips that nobody knows are named in a warning", async () => {
	const lake = badHub.first.copy("lake");
	const before = digestOf(lake.path);
	const listed = badHub.world.fresh("listed");
	cpSync(badHub.world.source, listed, { recursive: true });
	renameSync(join(listed, ZIP), join(listed, "images/test/other_2.zip"));
	writeFileSync(join(listed, "images/notes.txt"), "ignored");
	const hub = await startHub(listed);
	try {
		const end = await lake.mirror({ args: ["--on-shard-failure", "skip"], env: { HF_ENDPOINT: hub.endpoint } });
		expect(documentOf(end)).toMatchObject({
			state: "failed",
			exit_code: 1,
			error: { code: "SHARD_MISSING", message: expect.stringContaining(ZIP) },
		});
		expect((await hub.counters()).cdn.requests).toBe(0);
		expect(digestOf(lake.path)).toBe(before);
		const one = await lake.mirror({ shards: ["test_1"], env: { HF_ENDPOINT: hub.endpoint } });
		expect(one.code).toBe(0);
		expect(one.stderr).toContain("images/test/other_2.zip is no known shard: ignored");
		expect(one.stderr).not.toContain("notes.txt");
	} finally {
		await hub.stop();
	}
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	await badHub.expectWhole(lake);
});

describe("fault 16: the listing's second page fails", () => {
	const page = { match: { route: "tree" }, after: 1, kind: "status", status: 500 } as const;

	test("for a moment: it is asked for again", async () => {
		await badHub.survives([{ ...page, times: 3 }]);
	});

	test("for good: there is no partial listing, and nothing is done", async () => {
		const message = /failed on dataset zai-org\/ImageRewardDB at main: status 500/;
		await badHub.fails([{ ...page, times: 99 }], { code: "HUB_UNAVAILABLE", exit: 1, message });
	});

	test("by a body that is cut short", async () => {
		await badHub.survives([{ ...page, kind: "truncate", bytes: 40, times: 1 }]);
	});
});

test("no test has left a part of a download behind", () => expect(badHub.leftParts()).toEqual([]));
