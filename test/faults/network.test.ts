import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { startHub } from "../hub/client.js";
import type { FaultOrder } from "../hub/faults.js";
import { type CliEnd, documentOf } from "../support/cli.js";
import { digestOf, latestSnapshot, readPinned } from "./lake.js";
import { requireOnce } from "./once.js";
import { type Lake, World } from "./world.js";

/**
 * The Hub on a bad day, fault by fault (the numbers are those of the list of faults): a lake of one snapshot is to get
 * a second. Either the run survives, or it ends with a code and a sentence; a reader sees the old snapshot or the new
 * one; and the lake comes to be what an undisturbed run makes of it, no byte being fetched twice without a reason.
 */

const ZIP = "images/test/test_2.zip";
const CDN = { route: "cdn", path: ZIP } as const;
const RESOLVE = { route: "resolve", path: ZIP } as const;
/** A place within the zip's body. */
const PLACE = 20_000;
/** What users have too, for a test that cannot wait. */
const QUICK = ["--retry-wait", "0.01", "--idle-timeout", "1"];

let world: World;
/** The first snapshot, and what it becomes undisturbed. */
let first: Lake;
let undisturbed: string;

beforeAll(async () => {
	world = await World.open("network", {
		shards: ["test_1", "test_2"],
		images: 24,
		size: 48,
		defect: true,
		pageSize: 3,
	});
	first = world.lake("first");
	expect(await first.mirror({ shards: ["test_1"] })).toMatchObject({ code: 0 });
	const second = first.copy("second");
	expect(await second.mirror()).toMatchObject({ code: 0 });
	expect((await world.hub.counters()).paths[ZIP]?.bytes).toBeGreaterThan(2 * PLACE);
	undisturbed = digestOf(second.path);
}, 300_000);

afterAll(() => world.close());

beforeEach(async () => {
	await world.hub.faults([]);
	await world.hub.reset();
});

/** A second snapshot, made while the faults happen. */
async function attempt(lake: Lake, faults: FaultOrder[], ...args: string[]): Promise<CliEnd> {
	await world.hub.faults(faults);
	const end = await lake.mirror({ args: [...QUICK, ...args] });
	await world.hub.faults([]);
	return end;
}

async function expectWhole(lake: Lake): Promise<void> {
	expect(readPinned(lake.path)).toBe(2);
	expect(digestOf(lake.path)).toBe(undisturbed);
	const { rows_in, rows_published, rows_rejected, members_in, members_published, members_rejected, orphans } =
		latestSnapshot(lake.path).counts;
	expect(rows_rejected).toBeGreaterThan(0);
	expect(rows_in).toBe(rows_published + rows_rejected);
	expect(members_in).toBe(members_published + members_rejected + orphans);
}

/** The run ends well; returns what it said, and how many bodies the zip took. */
async function survives(faults: FaultOrder[], ...args: string[]): Promise<{ said: string; bodies: number }> {
	const lake = first.copy("lake");
	const end = await attempt(lake, faults, ...args);
	expect(end).toMatchObject({ code: 0, signal: null });
	await expectWhole(lake);
	const { paths, faults: happened } = await world.hub.counters();
	expect(Object.values(happened).reduce((sum, times) => sum + times, 0)).toBe(
		faults.reduce((sum, { times }) => sum + times, 0),
	);
	requireOnce(paths);
	return { said: end.stderr, bodies: paths[ZIP]?.ranges.length ?? 0 };
}

interface Failure {
	/** Of the run, or of the shard where that is what failed. */
	code: string;
	exit: 1 | 2;
	message: RegExp;
}

/** The run fails as it should, readers see the old snapshot, and the next run makes the new one. */
async function fails(faults: FaultOrder[], { code, exit, message }: Failure, ...args: string[]): Promise<CliEnd> {
	const lake = first.copy("lake");
	const before = digestOf(lake.path);
	const end = await attempt(lake, faults, ...args);
	expect(end).toMatchObject({ code: exit, signal: null });
	const { state, exit_code, error, shards } = documentOf(end);
	expect({ state, exit_code }).toEqual({ state: "failed", exit_code: exit });
	const shard = shards?.find((one) => one.code !== null);
	if (shard === undefined) expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
	else {
		expect(error?.code).toBe("SHARD_FAILED");
		expect(shard).toMatchObject({ shard: "test_2", state: "failed", code, detail: expect.stringMatching(message) });
	}
	expect(end.stderr).not.toMatch(/^\s+at .+:\d+:\d+\)?$/m);
	expect(readPinned(lake.path)).toBe(1);
	if (shard === undefined) expect(digestOf(lake.path)).toBe(before);
	await world.hub.reset();
	expect(await lake.mirror()).toMatchObject({ code: 0 });
	await expectWhole(lake);
	return end;
}

describe("fault 1: a reset in mid-body", () => {
	test("is gone on from at the byte", async () => {
		const { said, bodies } = await survives([{ match: CDN, times: 3, kind: "reset-after", bytes: PLACE }]);
		expect(bodies).toBe(4);
		expect(said).toContain("Trying again in");
	});

	test("again and again, without a byte more, ends the shard", async () => {
		await fails([{ match: CDN, times: 99, kind: "reset-after", bytes: 0 }], {
			code: "HUB_UNAVAILABLE",
			exit: 1,
			message: /test_2\.zip.*(closed|failed|ECONNRESET|SOCKET)/i,
		});
		expect((await world.hub.counters()).paths[ZIP]?.ranges).toHaveLength(1);
	});
});

test("fault 2: a 200 to a range begins the file anew, in good order", async () => {
	const { bodies } = await survives([
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
		const { said } = await survives(faults);
		expect(said).toMatch(/TIMEOUT/);
	});
});

describe("fault 4: a body of another length than it should have", () => {
	test.each([
		["short, with a Content-Length to match", [{ match: CDN, times: 2, kind: "truncate", bytes: PLACE }], 3],
		["short of its Content-Length", [{ match: CDN, times: 2, kind: "end-early", bytes: PLACE }], 3],
		["too long", [{ match: CDN, times: 1, kind: "overlong", bytes: 5000 }], 1],
	] as [string, FaultOrder[], number][])("%s: what is right of it is kept", async (_, faults, wanted) => {
		expect((await survives(faults)).bodies).toBe(wanted);
	});
});

describe("fault 5: bytes that are wrong", () => {
	test("are discarded and fetched whole once more", async () => {
		expect((await survives([{ match: CDN, times: 1, kind: "wrong-bytes", bytes: PLACE }])).bodies).toBe(2);
	});

	test("twice fail the shard, with both hashes; nothing of them is kept", async () => {
		await fails([{ match: CDN, times: 2, kind: "wrong-bytes", bytes: PLACE }], {
			code: "SHARD_HASH_MISMATCH",
			exit: 1,
			message: /test_2\.zip has the hash [0-9a-f]{64}, but the source lists [0-9a-f]{64}/,
		});
		expect((await world.hub.counters()).paths[ZIP]?.ranges.map(([from]) => from)).toEqual([0]);
	});
});

describe("fault 6: the store refuses an address that was signed for it", () => {
	test.each(["expired", "416", "403"])(
		"%s: it is asked for anew, and the download goes on at the byte",
		async (how) => {
			const refusal =
				how === "expired" ? ({ kind: "expired" } as const) : { kind: "status" as const, status: Number(how) };
			const { bodies } = await survives([
				{ match: CDN, times: 1, kind: "reset-after", bytes: PLACE },
				{ match: CDN, times: 1, ...refusal },
			]);
			expect(bodies).toBe(2);
			expect((await world.hub.counters()).paths[ZIP]?.gets).toBe(3);
		},
	);

	test("a store that always refuses ends the shard", async () => {
		const end = await fails([{ match: CDN, times: 99, kind: "expired" }], {
			code: "HUB_UNAVAILABLE",
			exit: 1,
			message: /test_2\.zip.*file store refuses the signed address/,
		});
		expect(end.stdout + end.stderr).not.toMatch(/Signature=/i);
	});
});

test("fault 7: 429 with a window that is used up: waits for its end and a second, says so, and burns no attempt", async () => {
	const headers = { RateLimit: '"resolvers";r=0;t=1', "Retry-After": "77" };
	const started = performance.now();
	const refusals = [{ match: RESOLVE, times: 2, kind: "status", status: 429, headers }] as const;
	const { said } = await survives([...refusals], "--retries", "0");
	expect(performance.now() - started).toBeGreaterThan(4000);
	expect(said.match(/The Hub at 127\.0\.0\.1:\d+ asks to wait 2 s\. Trying again in 2 s\./g)).toHaveLength(2);
});

describe("fault 8: 429 with requests left", () => {
	const left = { RateLimit: '"resolvers";r=37;t=200' };
	const once = (headers: Record<string, string>): FaultOrder[] => [
		{ match: RESOLVE, times: 1, kind: "status", status: 429, headers },
	];

	test("waits for Retry-After in seconds", async () => {
		const started = performance.now();
		expect((await survives(once({ ...left, "Retry-After": "1" }))).said).toMatch(/asks to wait 1 s/);
		expect(performance.now() - started).toBeGreaterThan(1000);
	});

	test("waits for Retry-After as a date, until then", async () => {
		// Far enough off that a slow machine asks before it.
		const due = Math.ceil(Date.now() / 1000 + 6) * 1000;
		const { said } = await survives(once({ ...left, "Retry-After": new Date(due).toUTCString() }));
		expect(Date.now()).toBeGreaterThanOrEqual(due);
		expect(said).toMatch(/asks to wait [1-7] s/);
	});

	test("without either makes its own pause", async () => {
		expect((await survives(once(left))).said).toMatch(/asks to wait a while\. Trying again in 0\.01 s/);
	});
});

describe("fault 9: a burst of server errors", () => {
	test("is waited for, at the Hub and at its store", async () => {
		const burst = [500, 502, 503, 504, 408];
		const at = (match: FaultOrder["match"]): FaultOrder[] =>
			burst.map((status) => ({ match, times: 1, kind: "status", status }));
		const { said } = await survives([...at({ route: "info" }), ...at(RESOLVE)]);
		for (const status of burst) expect(said).toContain(`status ${status}`);
	});

	test("without end ends the shard, after as many attempts as allowed", async () => {
		const { said } = await survives([{ match: CDN, times: 1, kind: "status", status: 503 }], "--retries", "1");
		expect(said).toMatch(/file store 127\.0\.0\.1:\d+ answered 503/);
		const failure = { code: "HUB_UNAVAILABLE", exit: 1, message: /test_2\.zip.*answered 500/ } as const;
		const faults = [{ match: CDN, times: 99, kind: "status", status: 500 }] as FaultOrder[];
		const end = await fails(faults, failure, "--retries", "2");
		expect(end.stderr.match(/Trying again in/g)).toHaveLength(2);
	});
});

describe("fault 10: a captive portal or a proxy answers with a web page", () => {
	test("at the start: “not the Hub”, and nothing is stored", async () => {
		const lake = world.lake("none");
		const { code, stdout, stderr } = await attempt(lake, [{ match: {}, times: 99, kind: "portal" }]);
		expect(code).toBe(2);
		expect(JSON.parse(stdout)).toMatchObject({
			error: { code: "HUB_NOT_THE_HUB", message: expect.stringMatching(/is not the Hub: it sent a web page/) },
		});
		expect(stderr).not.toContain("Guest network");
		expect([existsSync(lake.path), existsSync(lake.scratch)]).toEqual([false, false]);
	});

	test("by a redirect to another host", async () => {
		const headers = { Location: "http://login.example/?from=hub" };
		const faults = [{ match: { route: "info" }, times: 99, kind: "status", status: 302, headers }] as FaultOrder[];
		const message = /is not the Hub: it sends on to another host, login\.example/;
		await fails(faults, { code: "HUB_NOT_THE_HUB", exit: 2, message });
	});

	test("for a moment in mid-run, it is waited for", async () => {
		await survives([
			{ match: { route: "tree" }, after: 1, times: 1, kind: "portal" },
			{ match: RESOLVE, times: 1, kind: "portal" },
			{ match: CDN, times: 1, kind: "portal" },
		]);
	});

	test("for good in mid-run, it ends the run with 1: nothing of it is taken for data", async () => {
		const message = /test_2\.zip.*is not the Hub: it sent a web page/;
		await fails([{ match: CDN, times: 99, kind: "portal" }], { code: "HUB_NOT_THE_HUB", exit: 1, message });
	});
});

test("fault 11: of a repository that was renamed only relative redirects are followed, and the lake is the same", async () => {
	await survives([], "--source", "hf://THUDM/ImageRewardDB");
	expect((await world.hub.counters()).routes.renamed).toBe(1);
});

test("fault 12: a token that opens the Hub goes to no other host", async () => {
	const token = "hf_secretsecretsecret";
	const hub = await startHub(world.source, { token });
	try {
		await hub.faults([{ match: CDN, times: 1, kind: "reset-after", bytes: PLACE }]);
		const lake = first.copy("lake");
		const env = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: token, LOG_LEVEL: "trace" };
		const end = await lake.mirror({ args: QUICK, env });
		expect(end).toMatchObject({ code: 0 });
		await expectWhole(lake);
		const { cdn, authorization_at_cdn } = await hub.counters();
		expect(cdn.requests).toBe(2);
		expect(authorization_at_cdn).toBe(0);
		expect(end.stdout + end.stderr).not.toContain(token);
		const refused = await first.copy("lake").mirror({ args: QUICK, env: { ...env, HF_TOKEN: "" } });
		expect(documentOf(refused)).toMatchObject({ exit_code: 2, error: { code: "HUB_NOT_FOUND" } });
	} finally {
		await hub.stop();
	}
});

test("fault 13: a listed file that the Hub lacks is told at once, by a code of its own", async () => {
	const headers = { "X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found" };
	const gone = { match: RESOLVE, times: 99, kind: "status", status: 404, headers } as const;
	const message = /lists images\/test\/test_2\.zip in .*, but lacks it/;
	const end = await fails([gone], { code: "HUB_ENTRY_NOT_FOUND", exit: 1, message });
	expect(end.stderr).not.toContain("Trying again");
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
		const second = world.lake("unmoved");
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
	const lake = first.copy("lake");
	const before = digestOf(lake.path);
	const listed = world.fresh("listed");
	cpSync(world.source, listed, { recursive: true });
	renameSync(join(listed, ZIP), join(listed, "images/test/other_2.zip"));
	writeFileSync(join(listed, "images/notes.txt"), "ignored");
	const hub = await startHub(listed);
	try {
		const end = await lake.mirror({ args: ["--on-shard-failure", "skip"], env: { HF_ENDPOINT: hub.endpoint } });
		expect(documentOf(end)).toMatchObject({
			...{ state: "failed", exit_code: 1 },
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
	await expectWhole(lake);
});

describe("fault 16: the listing's second page fails", () => {
	const page = { match: { route: "tree" }, after: 1, kind: "status", status: 500 } as const;

	test("for a moment: it is asked for again", async () => {
		await survives([{ ...page, times: 3 }]);
	});

	test("for good: there is no partial listing, and nothing is done", async () => {
		const message = /failed on dataset zai-org\/ImageRewardDB at main: status 500/;
		await fails([{ ...page, times: 99 }], { code: "HUB_UNAVAILABLE", exit: 1, message });
	});

	test("by a body that is cut short", async () => {
		await survives([{ ...page, kind: "truncate", bytes: 40, times: 1 }]);
	});
});

describe("fault 17: git's pointer in the file's place", () => {
	test("once: it is not taken for the file", async () => {
		await survives([{ match: CDN, times: 2, kind: "pointer" }]);
	});

	test("also where the rest of the file was asked for: what is on disk is kept", async () => {
		const reset = { match: CDN, times: 1, kind: "reset-after", bytes: PLACE } as const;
		expect((await survives([reset, { match: CDN, times: 1, kind: "pointer" }])).bodies).toBe(2);
	});

	test("for good: the shard fails, and the message says what came", async () => {
		const message = /sent the pointer that git stores for images\/test\/test_2\.zip, not the file/;
		await fails([{ match: CDN, times: 99, kind: "pointer" }], { code: "HUB_LFS_POINTER", exit: 1, message });
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
		const spoilt = world.fresh("spoilt");
		cpSync(world.source, spoilt, { recursive: true });
		writeFileSync(join(spoilt, ZIP), spoil(readFileSync(join(world.source, ZIP))));
		const hub = await startHub(spoilt);
		// What is kept of it for a person to look at is no part of a download to go on with.
		const lake = first.copy("spoilt-lake");
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
		await expectWhole(lake);
	});
});

describe("bytes that are compressed on the way, though nobody asked for it", () => {
	test("are refused, and asked for again", async () => {
		const { said } = await survives([
			{ match: { route: "tree" }, times: 2, kind: "gzip" },
			{ match: CDN, times: 1, kind: "reset-after", bytes: PLACE },
			{ match: CDN, times: 2, kind: "gzip" },
		]);
		expect(said).toMatch(/the bytes were compressed on the way \(gzip\)/);
	});

	test("for good: the shard fails, and the message says why", async () => {
		const message = /test_2\.zip.*the bytes were compressed on the way \(gzip\)/;
		await fails([{ match: CDN, times: 99, kind: "gzip" }], { code: "HUB_UNAVAILABLE", exit: 1, message });
	});
});

test("no test has left a part of a download behind", () => {
	const folders = readdirSync(`${world.source}/..`).filter((name) => name.startsWith("lake-scratch"));
	const left = folders.flatMap((name) => {
		const parts = `${world.source}/../${name}/parts`;
		return existsSync(parts) ? readdirSync(parts) : [];
	});
	expect(left).toEqual([]);
});
