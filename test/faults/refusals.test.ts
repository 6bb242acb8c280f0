import { existsSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { documentOf } from "../support/cli.js";
import { startHub } from "../tools/hub/client.js";
import type { FaultOrder } from "../tools/hub/faults.js";
import { BadHub, CDN, PLACE, QUICK, RESOLVE } from "./bad-hub.js";

/** What the Hub or somebody in its place answers in a file's stead is waited for where it asks for that, and else told. */

let badHub: BadHub;
beforeAll(async () => {
	badHub = await BadHub.open("refusals");
}, 300_000);
afterAll(() => badHub?.world.close());
beforeEach(() => badHub.clear());

test("fault 7: 429 with a window that is used up: waits for its end and a second, says so, and burns no attempt", async () => {
	const headers = { RateLimit: '"resolvers";r=0;t=1', "Retry-After": "77" };
	const started = performance.now();
	const refusals = [{ match: RESOLVE, times: 2, kind: "status", status: 429, headers }] as const;
	const { said } = await badHub.survives([...refusals], "--retries", "0");
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
		expect((await badHub.survives(once({ ...left, "Retry-After": "1" }))).said).toMatch(/asks to wait 1 s/);
		expect(performance.now() - started).toBeGreaterThan(1000);
	});

	test("waits for Retry-After as a date, until then", async () => {
		// Far enough off that a slow machine asks before it.
		const due = Math.ceil(Date.now() / 1000 + 6) * 1000;
		const { said } = await badHub.survives(once({ ...left, "Retry-After": new Date(due).toUTCString() }));
		expect(Date.now()).toBeGreaterThanOrEqual(due);
		expect(said).toMatch(/asks to wait [1-7] s/);
	});

	test("without either makes its own pause", async () => {
		expect((await badHub.survives(once(left))).said).toMatch(/asks to wait a while\. Trying again in 0\.01 s/);
	});
});

describe("fault 9: a burst of server errors", () => {
	test("is waited for, at the Hub and at its store", async () => {
		const burst = [500, 502, 503, 504, 408];
		const at = (match: FaultOrder["match"]): FaultOrder[] =>
			burst.map((status) => ({ match, times: 1, kind: "status", status }));
		const { said } = await badHub.survives([...at({ route: "info" }), ...at(RESOLVE)]);
		for (const status of burst) expect(said).toContain(`status ${status}`);
	});

	test("without end ends the shard, after as many attempts as allowed", async () => {
		const { said } = await badHub.survives([{ match: CDN, times: 1, kind: "status", status: 503 }], "--retries", "1");
		expect(said).toMatch(/file store 127\.0\.0\.1:\d+ answered 503/);
		const failure = { code: "HUB_UNAVAILABLE", exit: 1, message: /test_2\.zip.*answered 500/ } as const;
		const faults = [{ match: CDN, times: 99, kind: "status", status: 500 }] as FaultOrder[];
		const end = await badHub.fails(faults, failure, "--retries", "2");
		expect(end.stderr.match(/Trying again in/g)).toHaveLength(2);
	});
});

describe("fault 10: a captive portal or a proxy answers with a web page", () => {
	test("at the start: “not the Hub”, and nothing is stored", async () => {
		const lake = badHub.world.lake("none");
		const { code, stdout, stderr } = await badHub.attempt(lake, [{ match: {}, times: 99, kind: "portal" }]);
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
		await badHub.fails(faults, { code: "HUB_NOT_THE_HUB", exit: 2, message });
	});

	test("for a moment in mid-run, it is waited for", async () => {
		await badHub.survives([
			{ match: { route: "tree" }, after: 1, times: 1, kind: "portal" },
			{ match: RESOLVE, times: 1, kind: "portal" },
			{ match: CDN, times: 1, kind: "portal" },
		]);
	});

	test("for good in mid-run, it ends the run with 1: nothing of it is taken for data", async () => {
		const message = /test_2\.zip.*is not the Hub: it sent a web page/;
		await badHub.fails([{ match: CDN, times: 99, kind: "portal" }], { code: "HUB_NOT_THE_HUB", exit: 1, message });
	});
});

test("fault 12: a token that opens the Hub goes to no other host", async () => {
	const token = "hf_secretsecretsecret";
	const hub = await startHub(badHub.world.source, { token });
	try {
		await hub.faults([{ match: CDN, times: 1, kind: "reset-after", bytes: PLACE }]);
		const lake = badHub.first.copy("lake");
		const env = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: token, LOG_LEVEL: "trace" };
		const end = await lake.mirror({ args: QUICK, env });
		expect(end).toMatchObject({ code: 0 });
		await badHub.expectWhole(lake);
		const { cdn, authorization_at_cdn } = await hub.counters();
		expect(cdn.requests).toBe(2);
		expect(authorization_at_cdn).toBe(0);
		expect(end.stdout + end.stderr).not.toContain(token);
		const refused = await badHub.first.copy("lake").mirror({ args: QUICK, env: { ...env, HF_TOKEN: "" } });
		expect(documentOf(refused)).toMatchObject({ exit_code: 2, error: { code: "HUB_NOT_FOUND" } });
	} finally {
		await hub.stop();
	}
});

test("fault 13: a listed file that the Hub lacks is told at once, by a code of its own", async () => {
	const headers = { "X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found" };
	const gone = { match: RESOLVE, times: 99, kind: "status", status: 404, headers } as const;
	const message = /lists images\/test\/test_2\.zip in .*, but lacks it/;
	const end = await badHub.fails([gone], { code: "HUB_ENTRY_NOT_FOUND", exit: 1, message });
	expect(end.stderr).not.toContain("Trying again");
});

test("no test has left a part of a download behind", () => expect(badHub.leftParts()).toEqual([]));
