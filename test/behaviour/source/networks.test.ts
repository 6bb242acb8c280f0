import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { type CliDocument, type CliEnd, documentOf } from "../../support/cli.js";
import { Lab } from "../../support/lab.js";
import { digestOf } from "../../support/lake.js";
import { startProxy, type TestProxy, type TestProxyOptions } from "../../support/proxy.js";
import { ROOT } from "../../support/root.js";
import { type HubHandle, startHub } from "../../tools/hub/client.js";

/** Proxies, authorities, limits, and redirects into one's own network: what lies between a user and the Hub. */

const TLS = join(ROOT, "test/fixtures/tls");
const SECRET = "hf_secretsecretsecret";
/** A name that leads to the Hub through the proxy alone. */
const NAME = "hub.example";

let lab: Lab;
/** The same files over TLS. */
let secure: HubHandle;
let undisturbed: string;
let lakes = 0;
const proxies: TestProxy[] = [];

beforeAll(async () => {
	lab = await Lab.open("networks", { shards: ["test_1", "test_2"], images: 6, size: 160 });
	secure = await startHub(lab.source, { tls: TLS });
	await lab.mirror("reference");
	undisturbed = digestOf(lab.path("reference"));
}, 120_000);

afterEach(async () => {
	await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
});
afterAll(async () => {
	await secure.stop();
	await lab.close();
});

function portOf(address: string): number {
	return Number(new URL(address).port);
}

async function proxy(options: TestProxyOptions = {}): Promise<TestProxy> {
	const names = { [NAME]: portOf(lab.hub.endpoint) };
	const started = await startProxy({ names, ...options });
	proxies.push(started);
	return started;
}

/** A mirror into a lake of its own. */
async function mirror(
	env: NodeJS.ProcessEnv,
	...args: string[]
): Promise<CliEnd & { lake: string; document: CliDocument }> {
	const lake = lab.path(`lake-${++lakes}`);
	const where = ["--shards", "test_1,test_2", "--lake", lake, "--scratch", `${lake}.scratch`];
	const end = await lab.run(["mirror", ...where, "--retries", "1", "--retry-wait", "0.01", "--json", ...args], {
		LOG_LEVEL: "trace",
		...env,
	});
	return { ...end, lake, document: documentOf(end) };
}

function expectPublished({ code, lake }: { code: number | null; lake: string }): void {
	expect(code).toBe(0);
	expect(digestOf(lake)).toBe(undisturbed);
}

describe("HTTP_PROXY", () => {
	test("gets whole addresses, of the Hub and of its store", async () => {
		const { host, asked } = await proxy();
		expectPublished(
			await mirror({ HTTP_PROXY: `http://${host}`, HF_ENDPOINT: `http://${NAME}` }, "--allow-private-redirects"),
		);
		expect(asked[0]).toBe(`GET http://${NAME}/api/datasets/zai-org/ImageRewardDB/revision/main`);
		expect(asked.filter((line) => line.startsWith(`GET ${lab.hub.cdn}/`))).toHaveLength(3);
	});

	test("in lower case too, and without a scheme; what NO_PROXY names is reached directly", async () => {
		const { host, asked } = await proxy();
		expectPublished(await mirror({ http_proxy: host }));
		expect(asked.length).toBeGreaterThan(0);
		asked.length = 0;
		expectPublished(await mirror({ HTTP_PROXY: host, NO_PROXY: "example.org, 127.0.0.0/8" }));
		expectPublished(await mirror({ HTTP_PROXY: host, no_proxy: `127.0.0.1:${portOf(lab.hub.endpoint)},.1` }));
		expect(asked.every((line) => line.includes(new URL(lab.hub.cdn).host))).toBe(true);
		asked.length = 0;
		expectPublished(await mirror({ HTTP_PROXY: host, NO_PROXY: "*" }));
		expect(asked).toEqual([]);
	});

	test("with credentials, which stand in no output; without them it says what is wanted", async () => {
		const { host } = await proxy({ credentials: "me:p@ss word" });
		const given = { HTTP_PROXY: `http://me:p%40ss%20word@${host}`, HF_TOKEN: SECRET };
		const open = await mirror(given);
		expectPublished(open);
		const refused = await mirror({ HTTP_PROXY: `http://me:hunter2@${host}` });
		expect(refused.document).toMatchObject({
			exit_code: 2,
			error: { code: "HUB_PROXY_FAILED", message: expect.stringContaining("wants other credentials") },
		});
		expect(existsSync(refused.lake)).toBe(false);
		const said = [open, refused].map(({ stdout, stderr }) => stdout + stderr).join("\n");
		for (const secret of ["p@ss", "p%40ss", "hunter2", "bWU6", SECRET]) expect(said).not.toContain(secret);
	});

	test("that is not there is told by its address", async () => {
		const { host, stop } = await startProxy();
		await stop();
		const { document, stderr } = await mirror({ HTTP_PROXY: `http://me:hunter2@${host}` });
		const message = `The proxy ${host} cannot be reached (ECONNREFUSED).`;
		expect(document).toMatchObject({ exit_code: 1, error: { code: "HUB_PROXY_FAILED", message } });
		expect(stderr).not.toContain("hunter2");
	});

	test.each(["socks5://me:hunter2@host", "http://me:hunter2@"])(
		"%s is refused before anything is done",
		async (value) => {
			const { document, stderr, lake } = await mirror({ HTTP_PROXY: value });
			expect(document).toMatchObject({ exit_code: 2, error: { code: "USAGE", path: "HTTP_PROXY" } });
			expect(JSON.stringify(document) + stderr).not.toContain("hunter2");
			expect(existsSync(lake)).toBe(false);
		},
	);
});

describe("HTTPS_PROXY", () => {
	const trusted = { NODE_EXTRA_CA_CERTS: join(TLS, "ca.pem") };
	const names = () => ({ [NAME]: portOf(secure.endpoint) });

	test("opens tunnels, inside of which the Hub's own certificate is checked", async () => {
		const { host, asked } = await proxy({ names: names(), credentials: "me:secret" });
		const env = { HTTPS_PROXY: `http://me:secret@${host}`, HF_ENDPOINT: `https://${NAME}` };
		expectPublished(await mirror({ ...env, ...trusted }, "--allow-private-redirects"));
		expect(new Set(asked)).toEqual(new Set([`CONNECT ${NAME}:443`, `CONNECT ${new URL(secure.cdn).host}`]));
		const untrusted = await mirror(env);
		expect(untrusted.document).toMatchObject({
			exit_code: 1,
			error: { code: "HUB_UNAVAILABLE", hint: expect.stringContaining("NODE_EXTRA_CA_CERTS") },
		});
		expect(untrusted.stderr).not.toContain("Trying again");
	});

	test.each([
		[403, 2, "answers 403"],
		[407, 2, "wants other credentials"],
		[503, 1, "answers 503"],
	])("that answers %i to a tunnel: exit %i", async (refuse, exit, message) => {
		const { host } = await proxy({ refuse });
		const { document } = await mirror({ HTTPS_PROXY: `http://${host}`, HF_ENDPOINT: `https://${NAME}` });
		expect(document).toMatchObject({
			exit_code: exit,
			error: { code: "HUB_PROXY_FAILED", message: expect.stringContaining(message) },
		});
	});
});

test("an authority of one's own is trusted by NODE_EXTRA_CA_CERTS, and by nothing else", async () => {
	const env = { HF_ENDPOINT: secure.endpoint.replace("127.0.0.1", "localhost") };
	expectPublished(await mirror({ ...env, NODE_EXTRA_CA_CERTS: join(TLS, "ca.pem") }));
	expect((await mirror(env)).document).toMatchObject({ exit_code: 1, error: { code: "HUB_UNAVAILABLE" } });
});

describe("a redirect to a private address, from a Hub that has none", () => {
	test("is refused, by its address and by a name that means this machine", async () => {
		const { host, asked } = await proxy();
		const env = { HTTP_PROXY: `http://${host}`, HF_ENDPOINT: `http://${NAME}`, HF_TOKEN: SECRET };
		const { document, stderr } = await mirror(env);
		expect(document).toMatchObject({ exit_code: 1, error: { code: "HUB_REDIRECT_REFUSED" } });
		expect(document.error?.message).toMatch(/hub\.example leads to a private address: 127\.0\.0\.1/);
		const headers = { Location: "http://localhost:1/" };
		await lab.hub.faults([{ match: { route: "resolve" }, times: 9, kind: "status", status: 302, headers }]);
		const named = await mirror({ ...env, NO_PROXY: "localhost" });
		await lab.hub.faults([]);
		expect(named.document.error?.message).toMatch(/private address: localhost/);
		expect(asked.filter((line) => !line.includes(NAME))).toEqual([]);
		expect(stderr).not.toContain(SECRET);
	});

	test("is followed from a Hub that is private itself, and where it is allowed", async () => {
		expectPublished(await mirror({ HF_ENDPOINT: lab.hub.endpoint.replace("127.0.0.1", "localhost") }));
		const { host } = await proxy();
		const env = { HTTP_PROXY: host, HF_ENDPOINT: `http://${NAME}`, IRLAKE_ALLOW_PRIVATE_REDIRECTS: "1" };
		expectPublished(await mirror(env));
	});
});

test("--bandwidth holds over all downloads together", async () => {
	await lab.hub.reset();
	expectPublished(await mirror({}));
	const { bytes } = (await lab.hub.counters()).cdn;
	expect(bytes).toBeGreaterThan(500_000);
	const started = performance.now();
	expectPublished(await mirror({}, "--bandwidth", "250KB/s", "--concurrency", "2"));
	// A quarter of a second's worth may come at once.
	expect((performance.now() - started) / 1000).toBeGreaterThan(bytes / 250_000 - 0.25);
}, 120_000);

test.each(["0", "fast", "20 parsecs", "-1MB", "1B"])("--bandwidth %s is refused", async (rate) => {
	const { document } = await mirror({}, `--bandwidth=${rate}`);
	expect(document).toMatchObject({ exit_code: 2, error: { code: "USAGE", path: "--bandwidth" } });
});
