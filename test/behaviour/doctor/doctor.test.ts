import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { type CliEnd, startCli } from "../../support/cli.js";
import { faultEnv } from "../../support/fault.js";
import { Lab } from "../../support/lab.js";
import { ROOT } from "../../support/root.js";
import { runProgram } from "../../support/run-program.js";
import { startHub } from "../../tools/hub/client.js";

/** `irlake doctor` finds what is amiss, says how to mend it, and leaves no trace. */

const SECRET = "hf_SuperSecretValue123456789";
const SHARDS = ["--shards", "test_1"];

const Document = z.object({
	ok: z.boolean(),
	exit_code: z.int(),
	checks: z.array(
		z.strictObject({
			name: z.string(),
			state: z.enum(["ok", "warn", "failed", "skipped"]),
			detail: z.string().min(1),
			mend: z.string().min(1).nullable(),
		}),
	),
	error: z.object({ code: z.string(), hint: z.string() }).nullable(),
});
type Found = z.infer<typeof Document>["checks"][number];

let lab: Lab;
const servers: Server[] = [];
beforeAll(async () => {
	lab = await Lab.open("doctor", { shards: ["test_1"], images: 4, size: 32 });
	expect(await lab.mirror("lake")).toMatchObject({ state: "published" });
}, 120_000);
afterAll(async () => {
	for (const server of servers) server.close().closeAllConnections();
	await lab.close();
});

/** Everything below the lab's folder but caches, with its kind: what doctor must leave as it was. */
function trace(): string[] {
	return readdirSync(lab.path(""), { recursive: true, withFileTypes: true })
		.map((entry) => `${entry.isDirectory() ? "d" : "f"} ${join(entry.parentPath, entry.name)}`)
		.sort();
}

/** Runs doctor with `--json`, and holds what is true of every run: exit code, mending, secrets, no trace. */
async function examine(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Map<string, Found>> {
	const before = trace();
	return judge(await lab.run(["doctor", ...SHARDS, "--json", ...args], env), before);
}

function judge({ code, stdout, stderr }: CliEnd, before: string[]): Map<string, Found> {
	const document = Document.parse(JSON.parse(stdout));
	const bad = document.checks.filter(({ state }) => state === "failed");
	expect({ code, ok: document.ok }).toEqual(bad.length > 0 ? { code: 1, ok: false } : { code: 0, ok: true });
	expect(document.exit_code).toBe(code);
	expect(document.error?.code ?? null).toBe(bad.length > 0 ? "CHECKS_FAILED" : null);
	for (const { state, mend } of document.checks) expect(mend !== null).toBe(state === "failed" || state === "warn");
	expect(stdout + stderr).not.toContain(SECRET);
	expect(trace()).toEqual(before);
	return new Map(document.checks.map((check) => [check.name, check]));
}

/** Names of the checks that failed. */
function failures(found: Map<string, Found>): string[] {
	return [...found.values()].filter(({ state }) => state === "failed").map(({ name }) => name);
}

async function serve(listener: RequestListener): Promise<string> {
	const server = createServer(listener).listen(0, "127.0.0.1");
	servers.push(server);
	await once(server, "listening");
	// `listen` on a host and port makes the address an AddressInfo, never a pipe's name.
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("where all is well", () => {
	test("a lake that exists, and one that does not: nothing fails", async () => {
		const found = await examine(["--lake", lab.path("lake")]);
		expect(failures(found)).toEqual([]);
		expect(found.get("source")?.detail).toContain(lab.hub.commit.slice(0, 12));
		expect(found.get("lake")?.detail).toContain("snapshot 1");
		for (const name of ["lake_writes", "lake_conditions", "lake_clock", "source_clock"]) {
			expect(found.get(name)?.state).toBe("ok");
		}
		expect(failures(await examine(["--lake", lab.path("new/deep/lake")]))).toEqual([]);
		expect(existsSync(lab.path("new"))).toBe(false);
	}, 60_000);

	test("for people: one line a check, 80 columns at most, and the exit code 0", async () => {
		const end = await lab.run(["doctor", ...SHARDS, "--lake", lab.path("lake")]);
		expect(end).toMatchObject({ code: 0, stderr: "" });
		expect(end.stdout).toMatch(/^ok +source +hf:/);
		expect(end.stdout).toMatch(/\nready to mirror/);
		for (const line of end.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
	}, 30_000);
});

describe("the source and its token", () => {
	test.each([
		{ token: {}, states: ["failed", "ok"], source: /gated/, mend: /HF_TOKEN/ },
		{ token: { HF_TOKEN: "hf_wrong" }, states: ["failed", "failed"], source: /refuses the token/, mend: /HF_TOKEN/ },
		{ token: { HF_TOKEN: SECRET }, states: ["ok", "ok"], source: /1 shards/, mend: null },
	])(
		"a gated dataset, with $token",
		async ({ token, states, source, mend }) => {
			const gated = await startHub(lab.source, { gated: true, token: SECRET });
			try {
				const env = { HF_ENDPOINT: gated.endpoint, ...token };
				const found = await examine(["--lake", lab.path("lake")], env);
				expect(["source", "token"].map((name) => found.get(name)?.state)).toEqual(states);
				expect(found.get("source")?.detail).toMatch(source);
				if (mend) expect(found.get("source")?.mend).toMatch(mend);
			} finally {
				await gated.stop();
			}
		},
		60_000,
	);

	test("a token's file is named, the token is not; one that is missing is a warning", async () => {
		writeFileSync(lab.path("token"), `${SECRET}\n`);
		const files = (name: string) => ({ HF_TOKEN_PATH: lab.path(name), HF_HUB_DISABLE_IMPLICIT_TOKEN: "" });
		const gated = await startHub(lab.source, { gated: true, token: SECRET });
		try {
			const env = { ...files("token"), HF_ENDPOINT: gated.endpoint };
			const found = await examine(["--lake", lab.path("lake")], env);
			expect(found.get("token")).toMatchObject({ state: "ok", detail: expect.stringContaining(lab.path("token")) });
		} finally {
			await gated.stop();
		}
		expect((await examine(["--lake", lab.path("lake")], files("none"))).get("token")?.state).toBe("warn");
	}, 60_000);

	test("what no mirror would find: revision, shards, a folder without them", async () => {
		const bad = await examine(["--source", "hf://zai-org/ImageRewardDB@nowhere", "--lake", lab.path("lake")]);
		expect(failures(bad)).toEqual(["source"]);
		expect(bad.get("source")?.detail).toContain("nowhere");
		const more = await examine(["--shards", "test_1,train_5-7", "--lake", lab.path("lake")]);
		expect(more.get("source")?.detail).toContain("3 of 4 shards are not there: train_5, train_6, train_7");
		mkdirSync(lab.path("empty"), { recursive: true });
		const empty = await examine(["--source", `file://${lab.path("empty")}`, "--lake", lab.path("lake")]);
		expect(failures(empty)).toEqual(["source"]);
		expect(failures(await examine(["--source", `file://${lab.source}`, "--lake", lab.path("lake")]))).toEqual([]);
	}, 60_000);

	test("nobody there: every other check has its verdict all the same", async () => {
		const closed = createServer().listen(0, "127.0.0.1");
		await once(closed, "listening");
		const endpoint = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
		closed.close();
		const found = await examine(["--lake", lab.path("lake")], { HF_ENDPOINT: endpoint, HF_TOKEN: SECRET });
		expect(failures(found)).toEqual(["source"]);
		expect(found.get("source")?.detail).toContain("ECONNREFUSED");
		expect(found.get("token")?.detail).toContain("HF_TOKEN; not checked");
		expect(found.get("lake_disk")?.detail).toContain("about");
	}, 60_000);

	test("one that never answers is given up; a portal is told as such", async () => {
		const silent = await serve(() => {});
		const portal = await serve((_, response) => {
			response.setHeader("Content-Type", "text/html").end("<html>Welcome to the hotel</html>");
		});
		const [slow, hotel] = await Promise.all(
			[silent, portal].map((endpoint) =>
				lab.run(["doctor", ...SHARDS, "--json", "--lake", lab.path("lake")], { HF_ENDPOINT: endpoint }),
			),
		);
		const before = trace();
		const found = judge(slow as CliEnd, before);
		expect(failures(found)).toEqual(["source"]);
		expect(found.get("source")?.detail).toMatch(/No answer within \d+ s/);
		expect(judge(hotel as CliEnd, before).get("source")?.detail).toContain("is not the Hub");
	}, 60_000);

	test("a clock that is an hour off is a warning, never a failure", async () => {
		const late = await serve(async (request, response) => {
			const answer = await fetch(`${lab.hub.endpoint}${request.url}`);
			const date = new Date(Date.now() - 3600_000).toUTCString();
			response.writeHead(answer.status, { "Content-Type": "application/json", Date: date });
			response.end(Buffer.from(await answer.arrayBuffer()));
		});
		const found = await examine(["--lake", lab.path("lake")], { HF_ENDPOINT: late });
		expect(failures(found)).toEqual([]);
		expect(found.get("source_clock")).toMatchObject({ state: "warn", mend: expect.stringContaining("Set the clock") });
		expect(found.get("source_clock")?.detail).toMatch(/3,(59|60)\d s ahead of the Hub/);
	}, 60_000);
});

describe("the lake", () => {
	test("a folder that this user may not write to", async () => {
		mkdirSync(lab.path("sealed"));
		chmodSync(lab.path("sealed"), 0o555);
		const command = [process.execPath, join(ROOT, "bin/irlake.js"), "doctor", ...SHARDS, "--json"];
		const env = { ...process.env, ...lab.env() };
		// Root passes over permissions, unless it gives that right up.
		const without = "-dac_override,-dac_read_search";
		const [program = "", ...args] =
			process.getuid?.() === 0
				? ["setpriv", `--inh-caps=${without}`, `--bounding-set=${without}`, ...command]
				: command;
		for (const lake of ["sealed", "sealed/new"]) {
			const before = trace();
			const end = await runProgram(program, [...args, "--lake", lab.path(lake)], env);
			const found = judge({ ...end, signal: null }, before);
			expect(failures(found)).toEqual(["lake_writes"]);
			expect(found.get("lake_writes")?.detail).toContain("EACCES");
			expect(found.get("lake_conditions")?.state).toBe("skipped");
		}
	}, 60_000);

	test.each([
		{ op: "write", error: "ENOSPC", says: /refuses to write a file \(ENOSPC\)/, mend: /Free space/ },
		{ op: "link", error: "EACCES", says: /refuses to link a file/, mend: /local disk/ },
		{ op: "sync", error: "EIO", says: /refuses to sync a file \(EIO\)/, mend: /Check the folder/ },
	] as const)(
		"a file system that answers $error to $op",
		async ({ op, error, says, mend }) => {
			const fault = faultEnv({ op, do: error, match: "/rights/", lasting: true });
			const found = await examine(["--lake", lab.path("lake")], fault);
			expect(failures(found)).toEqual(["lake_writes"]);
			expect(found.get("lake_writes")?.detail).toMatch(says);
			expect(found.get("lake_writes")?.mend).toMatch(mend);
		},
		30_000,
	);

	test("another folder, a file, a lake of a newer release: told apart, and left alone", async () => {
		mkdirSync(lab.path("photos"));
		writeFileSync(lab.path("photos/me.jpg"), "not a lake");
		writeFileSync(lab.path("newer.json"), "{}");
		mkdirSync(lab.path("newer"));
		writeFileSync(lab.path("newer/latest.json"), '{"format": 99}\n');
		for (const [lake, says] of [
			["photos", "holds other files"],
			["newer.json", "is no folder"],
			["newer", "format"],
		] as const) {
			const found = await examine(["--lake", lab.path(lake)]);
			expect(found.get("lake")).toMatchObject({ state: "failed", detail: expect.stringContaining(says) });
		}
	}, 60_000);

	test("a disk that is too small for what would be fetched", async () => {
		const big = await lab.variant("big", {});
		truncateSync(join(big, "images/test/test_1.zip"), 8e12);
		const found = await examine(["--source", big, "--lake", lab.path("other-lake")]);
		expect(failures(found)).toContain("lake_disk");
		expect(found.get("lake_disk")?.detail).toMatch(/^Only .* free in .*8\d{3} GB/);
		expect(found.get("lake_disk")?.mend).toContain("--lake");
	}, 60_000);
});

test.each([
	{ args: ["--lake", "gs://bucket/x"], code: "LAKE_UNSUPPORTED" },
	{ args: ["--source", "ftp://host/x"], code: "USAGE" },
	{ args: ["--shards", "train_99"], code: "USAGE" },
	{ args: ["--nonsense"], code: "USAGE" },
	{ args: [], env: { HF_ENDPOINT: "nonsense" }, code: "USAGE" },
])(
	"wrong usage ends with 2: $args $env",
	async ({ args, env, code }) => {
		const end = await lab.run(["doctor", "--json", ...args], env);
		expect(end.code).toBe(2);
		expect(JSON.parse(end.stdout)).toMatchObject({ ok: false, checks: [], exit_code: 2, error: { code } });
	},
	30_000,
);

test("stopped in the middle, it ends with 143 and leaves nothing", async () => {
	const before = trace();
	let tell = (): void => {};
	const asked = new Promise<void>((resolve) => {
		tell = resolve;
	});
	const endpoint = await serve(() => tell());
	const doctor = await startCli(["doctor", ...SHARDS, "--lake", lab.path("lake")], {
		...lab.env(),
		HF_ENDPOINT: endpoint,
	});
	await asked;
	doctor.kill("SIGTERM");
	expect((await doctor.ended).code).toBe(143);
	expect(trace()).toEqual(before);
}, 30_000);
