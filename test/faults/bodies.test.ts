import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { readPinned } from "../support/lake.js";
import { startHub } from "../tools/hub/client.js";
import type { FaultOrder } from "../tools/hub/faults.js";
import { BadHub, CDN, PLACE, QUICK, ZIP } from "./bad-hub.js";

/** A body that comes cut, late or wrong is gone on from at the byte, or ends its shard with a code and a sentence. */

let badHub: BadHub;
beforeAll(async () => {
	badHub = await BadHub.open("bodies");
}, 300_000);
afterAll(() => badHub?.world.close());
beforeEach(() => badHub.clear());

describe("fault 1: a reset in mid-body", () => {
	test("is gone on from at the byte", async () => {
		const { said, bodies } = await badHub.survives([{ match: CDN, times: 3, kind: "reset-after", bytes: PLACE }]);
		expect(bodies).toBe(4);
		expect(said).toContain("Trying again in");
	});

	test("again and again, without a byte more, ends the shard", async () => {
		await badHub.fails([{ match: CDN, times: 99, kind: "reset-after", bytes: 0 }], {
			code: "HUB_UNAVAILABLE",
			exit: 1,
			message: /test_2\.zip.*(closed|failed|ECONNRESET|SOCKET)/i,
		});
		expect((await badHub.world.hub.counters()).paths[ZIP]?.ranges).toHaveLength(1);
	});
});

test("fault 2: a 200 to a range begins the file anew, in good order", async () => {
	const { bodies } = await badHub.survives([
		{ match: CDN, times: 1, kind: "reset-after", bytes: PLACE },
		{ match: CDN, times: 1, kind: "ignore-range" },
	]);
	expect(bodies).toBe(2);
});

describe("fault 3: a connection that falls silent is given up and taken up again", () => {
	test.each([
		["in mid-body", [{ match: CDN, times: 2, kind: "stall-after", bytes: PLACE }]],
		["before any answer", [{ match: CDN, times: 1, kind: "hang" }]],
		["before the listing", [{ match: { route: "tree" }, times: 1, kind: "hang" }]],
	] as [string, FaultOrder[]][])("%s", async (_, faults) => {
		const { said } = await badHub.survives(faults);
		expect(said).toMatch(/TIMEOUT/);
	});
});

describe("fault 4: a body of another length than it should have", () => {
	test.each([
		["short, with a Content-Length to match", [{ match: CDN, times: 2, kind: "truncate", bytes: PLACE }], 3],
		["short of its Content-Length", [{ match: CDN, times: 2, kind: "end-early", bytes: PLACE }], 3],
		["too long", [{ match: CDN, times: 1, kind: "overlong", bytes: 5000 }], 1],
	] as [string, FaultOrder[], number][])("%s: what is right of it is kept", async (_, faults, wanted) => {
		expect((await badHub.survives(faults)).bodies).toBe(wanted);
	});
});

describe("fault 5: bytes that are wrong", () => {
	test("are discarded and fetched whole once more", async () => {
		expect((await badHub.survives([{ match: CDN, times: 1, kind: "wrong-bytes", bytes: PLACE }])).bodies).toBe(2);
	});

	test("twice fail the shard, with both hashes; nothing of them is kept", async () => {
		await badHub.fails([{ match: CDN, times: 2, kind: "wrong-bytes", bytes: PLACE }], {
			code: "SHARD_HASH_MISMATCH",
			exit: 1,
			message: /test_2\.zip has the hash [0-9a-f]{64}, but the source lists [0-9a-f]{64}/,
		});
		expect((await badHub.world.hub.counters()).paths[ZIP]?.ranges.map(([from]) => from)).toEqual([0]);
	});
});

describe("fault 6: the store refuses an address that was signed for it", () => {
	test.each(["expired", "416", "403"])(
		"%s: it is asked for anew, and the download goes on at the byte",
		async (how) => {
			const refusal =
				how === "expired" ? ({ kind: "expired" } as const) : { kind: "status" as const, status: Number(how) };
			const { bodies } = await badHub.survives([
				{ match: CDN, times: 1, kind: "reset-after", bytes: PLACE },
				{ match: CDN, times: 1, ...refusal },
			]);
			expect(bodies).toBe(2);
			expect((await badHub.world.hub.counters()).paths[ZIP]?.gets).toBe(3);
		},
	);

	test("a store that always refuses ends the shard", async () => {
		const end = await badHub.fails([{ match: CDN, times: 99, kind: "expired" }], {
			code: "HUB_UNAVAILABLE",
			exit: 1,
			message: /test_2\.zip.*file store refuses the signed address/,
		});
		expect(end.stdout + end.stderr).not.toMatch(/Signature=/i);
	});
});

describe("fault 17: git's pointer in the file's place", () => {
	test("once: it is not taken for the file", async () => {
		await badHub.survives([{ match: CDN, times: 2, kind: "pointer" }]);
	});

	test("also where the rest of the file was asked for: what is on disk is kept", async () => {
		const reset = { match: CDN, times: 1, kind: "reset-after", bytes: PLACE } as const;
		expect((await badHub.survives([reset, { match: CDN, times: 1, kind: "pointer" }])).bodies).toBe(2);
	});

	test("for good: the shard fails, and the message says what came", async () => {
		const message = /sent the pointer that git stores for images\/test\/test_2\.zip, not the file/;
		await badHub.fails([{ match: CDN, times: 99, kind: "pointer" }], { code: "HUB_LFS_POINTER", exit: 1, message });
	});
});

describe("fault 18: a zip that is cut off, or none, and is listed with its own hash", () => {
	test.each([
		["cut off", (zip: Buffer) => zip.subarray(0, zip.length / 2), [], "ZIP_CORRUPT"],
		["none at all", () => Buffer.alloc(60_000, "no zip "), [], "ZIP_CORRUPT"],
		[
			"none at all, and not even that arrives",
			() => Buffer.alloc(60_000, "no zip "),
			["wrong-bytes"],
			"SHARD_HASH_MISMATCH",
		],
	] as [string, (zip: Buffer) => Buffer, FaultOrder["kind"][], string][])("%s", async (_, spoil, faults, code) => {
		const spoilt = badHub.world.fresh("spoilt");
		cpSync(badHub.world.source, spoilt, { recursive: true });
		writeFileSync(join(spoilt, ZIP), spoil(readFileSync(join(badHub.world.source, ZIP))));
		const hub = await startHub(spoilt);
		// What is kept of it for a person to look at is no part of a download to go on with.
		const lake = badHub.first.copy("spoilt-lake");
		try {
			await hub.faults(faults.map((kind) => ({ match: CDN, times: 2, kind, bytes: PLACE })));
			const end = await lake.mirror({ args: QUICK, env: { HF_ENDPOINT: hub.endpoint } });
			expect(documentOf(end)).toMatchObject({ exit_code: 1, error: { code: "SHARD_FAILED" } });
			const detail = expect.stringContaining("test_2");
			expect(documentOf(end).shards?.at(-1)).toMatchObject({ shard: "test_2", state: "failed", code, detail });
			expect(readPinned(lake.path)).toBe(1);
		} finally {
			await hub.stop();
		}
		expect(await lake.mirror()).toMatchObject({ code: 0 });
		await badHub.expectWhole(lake);
	});
});

describe("bytes that are compressed on the way, though nobody asked for it", () => {
	test("are refused, and asked for again", async () => {
		const { said } = await badHub.survives([
			{ match: { route: "tree" }, times: 2, kind: "gzip" },
			{ match: CDN, times: 1, kind: "reset-after", bytes: PLACE },
			{ match: CDN, times: 2, kind: "gzip" },
		]);
		expect(said).toMatch(/the bytes were compressed on the way \(gzip\)/);
	});

	test("for good: the shard fails, and the message says why", async () => {
		const message = /test_2\.zip.*the bytes were compressed on the way \(gzip\)/;
		await badHub.fails([{ match: CDN, times: 99, kind: "gzip" }], { code: "HUB_UNAVAILABLE", exit: 1, message });
	});
});

test("no test has left a part of a download behind", () => expect(badHub.leftParts()).toEqual([]));
