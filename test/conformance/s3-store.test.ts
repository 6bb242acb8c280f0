import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { S3StoreOptions } from "../../infra/adapters/store/s3/store.js";
import { PART_BYTES } from "../../infra/adapters/store/s3/uploads.js";
import { describeS3 } from "../support/describe-s3.js";
import { startProxy } from "../support/proxy.js";
import { tempDir } from "../support/root.js";
import { S3Server } from "../support/s3.js";
import { S3Proxy } from "../support/s3-proxy.js";
import { openTestStore } from "../support/s3-store.js";

/** What the store on S3 promises beside what every store does. */

const describeServer = await describeS3();

describeServer("the store on S3", () => {
	let server: S3Server;
	let local: ReturnType<typeof tempDir>;
	let proxy: S3Proxy;

	beforeAll(async () => {
		server = await S3Server.start();
	}, 120_000);
	afterAll(() => server?.stop());
	beforeEach(async () => {
		local = tempDir("s3-store");
		proxy = await S3Proxy.start(server.endpoint);
	});
	afterEach(async () => {
		await proxy.stop();
		local.remove();
	});

	const prefixOf = (name: string) => name.slice(`s3://${server.bucket}/`.length);

	/** A store whose requests pass the proxy. */
	async function disturbed(options: Partial<S3StoreOptions> = {}) {
		const env = server.env(proxy.endpoint);
		return openTestStore(server, local.path, options, env);
	}

	test("a read that breaks off goes on at the byte", async () => {
		const content = randomBytes(3_000_000);
		const store = await disturbed();
		await store.putIfAbsent("big.bin", content);
		let cuts = 0;
		proxy.judge = ({ method, key }) => {
			if (method !== "GET" || !key.endsWith("big.bin") || cuts === 3) return "pass";
			cuts += 1;
			return { cutAfter: 700_000 };
		};
		expect((await buffer(await store.read("big.bin"))).equals(content)).toBe(true);
		expect(cuts).toBe(3);
		expect(proxy.count(/^GET .*big\.bin/)).toBe(4);
	}, 60_000);

	test("a file that becomes another while it is read is an error, not a mixture", async () => {
		const store = await disturbed();
		const [old, other] = ["a", "b"].map((letter) => Buffer.alloc(2_000_000, letter)) as [Buffer, Buffer];
		await store.replace("record.bin", old, null);
		proxy.judge = ({ method, key }) => {
			if (method !== "GET" || !key.endsWith("record.bin")) return "pass";
			proxy.judge = () => "pass";
			return { cutAfter: 500_000, meanwhile: () => store.replace("record.bin", other, old) };
		};
		await expect(store.read("record.bin").then(buffer)).rejects.toMatchObject({ code: "LAKE_DAMAGED" });
	}, 60_000);

	test("lists more keys than a page has", async () => {
		const store = await disturbed();
		const names = Array.from({ length: 1005 }, (_, at) => `many/${String(at).padStart(4, "0")}.json`);
		await Promise.all(names.map((path) => store.putIfAbsent(path, Buffer.from(path))));
		const found: string[] = [];
		for await (const { path } of store.list("many")) found.push(path);
		expect(found.sort()).toEqual(names);
		expect(proxy.count(/^GET .*list-type=2/)).toBe(2);
	}, 60_000);

	test.each([
		["its end says that there is no such upload", { status: 404, code: "NoSuchUpload" }, /^POST .*uploadId/, 6],
		["its end fails inside an answer of 200", { status: 200, code: "InternalError" }, /^POST .*uploadId/, 3],
		["a part fails", { status: 500, code: "InternalError" }, /^PUT .*partNumber/, 4],
	])(
		"a file in parts is whole in the end: %s",
		async (_name, fate, matches, parts) => {
			const store = await disturbed();
			const content = randomBytes(PART_BYTES * 2 + 1000);
			const file = join(local.path, "table.parquet");
			writeFileSync(file, content);
			let met = false;
			proxy.judge = ({ method, key, query }) => {
				if (met || !matches.test(`${method} ${key} ?${query}`)) return "pass";
				met = true;
				return fate;
			};
			await store.putFile("tables/x/0123.parquet", file);
			expect(met).toBe(true);
			expect(proxy.count(/^PUT .*partNumber/)).toBe(parts);
			expect((await store.get("tables/x/0123.parquet"))?.equals(content)).toBe(true);
			expect(await server.openUploads(`${prefixOf(store.name)}/tables/x/0123.parquet`)).toEqual([]);
		},
		60_000,
	);

	test("an interruption ends an upload at once, with the signal's reason", async () => {
		const interrupt = new AbortController();
		const store = await disturbed({ signal: interrupt.signal });
		const file = join(local.path, "table.parquet");
		writeFileSync(file, randomBytes(100_000));
		await store.prepareWrites();
		const reason = new Error("interrupted by the test");
		proxy.judge = ({ method }) => {
			if (method !== "PUT") return "pass";
			interrupt.abort(reason);
			return "hold";
		};
		await expect(store.putFile("tables/x/0123.parquet", file)).rejects.toBe(reason);
	}, 60_000);

	test("a record that is on its way when the run is interrupted is let finish", async () => {
		const interrupt = new AbortController();
		const store = await disturbed({ signal: interrupt.signal });
		await store.prepareWrites();
		proxy.judge = ({ method }) => {
			if (method === "PUT") interrupt.abort(new Error("interrupted by the test"));
			return "pass";
		};
		expect(await store.putIfAbsent("latest.json", Buffer.from("{}"))).toBe(true);
	}, 60_000);

	test("conditions are tried once, by the first write, and what was tried is removed", async () => {
		const store = await disturbed();
		expect(await store.get("latest.json")).toBeNull();
		expect(proxy.count(/probe/)).toBe(0);
		await Promise.all([1, 2, 3].map((n) => store.putIfAbsent(`${n}.json`, Buffer.from("{}"))));
		expect(proxy.count(/^PUT .*probe/)).toBe(3);
		expect(proxy.count(/^DELETE .*probe/)).toBe(1);
		const left: string[] = [];
		for await (const { path } of store.list(".irlake")) left.push(path);
		expect(left).toEqual([]);
	}, 60_000);

	test("requests go through the tunnel of the proxy that the environment names", async () => {
		const { host, asked, stop } = await startProxy({ credentials: "me:hunter2" });
		const open = (user: string) =>
			openTestStore(server, local.path, { env: { ...process.env, HTTP_PROXY: `http://${user}@${host}` } });
		try {
			const store = await open("me:hunter2");
			expect(await store.putIfAbsent("a.json", Buffer.from("{}"))).toBe(true);
			expect(asked[0]).toBe(`CONNECT ${new URL(server.endpoint).host}`);
			const error: unknown = await (await open("me:wrong")).get("a.json").catch((reason: unknown) => reason);
			expect(error).toMatchObject({ code: "LAKE_UNWRITABLE", message: expect.stringContaining("wants credentials") });
			expect(String(error)).not.toContain("wrong");
		} finally {
			await stop();
		}
	}, 60_000);

	test("delete: what the server would not remove is told by name, and the others are gone", async () => {
		const store = await disturbed();
		for (const name of ["a", "b"]) await store.putIfAbsent(`${name}.json`, Buffer.from("{}"));
		const refused = (key: string) => `<Error><Key>${key}</Key><Code>AccessDenied</Code><Message>no</Message></Error>`;
		proxy.judge = ({ method, query, body }) => {
			if (method !== "POST" || !query.has("delete")) return "pass";
			const keys = [...body.toString().matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key = ""]) => key);
			return { answer: `<DeleteResult>${keys.map(refused).join("")}</DeleteResult>` };
		};
		await expect(store.delete(["a.json", "b.json"])).rejects.toMatchObject({
			code: "LAKE_UNWRITABLE",
			exit: 1,
			path: "a.json",
			message: expect.stringContaining("a.json (AccessDenied) and 1 more"),
		});
		proxy.judge = () => "pass";
		await store.delete(["a.json"]);
		expect(await store.get("a.json")).toBeNull();
		expect(await store.get("b.json")).not.toBeNull();
	}, 60_000);

	test("uploads carry the SHA-256 of their bytes", async () => {
		const store = await disturbed();
		const content = randomBytes(1000);
		const sent: unknown[] = [];
		proxy.judge = ({ method, key, headers }) => {
			if (method === "PUT" && !key.includes("probe")) sent.push(headers["x-amz-checksum-sha256"]);
			return "pass";
		};
		await store.putIfAbsent("one.json", content);
		expect(sent).toEqual([createHash("sha256").update(content).digest("base64")]);
	}, 60_000);
});
