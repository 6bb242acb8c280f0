import { describe, expect, test } from "@jest/globals";
import { ByteLimit } from "../../../../../../infra/adapters/store/s3/byte-limit.js";
import { isTransient, storeError } from "../../../../../../infra/adapters/store/s3/errors.js";
import { checksumByName, ObjectIndex } from "../../../../../../infra/adapters/store/s3/object-index.js";

/** The small parts of the store on S3. */

const HASH = "0123456789abcdef".repeat(4);
const KEY = `objects/sha256/01/${HASH}.webp`;

describe("the index of objects", () => {
	test("knows what was added, by whole path and size", () => {
		const index = new ObjectIndex();
		index.add(KEY, 7);
		index.add("objects/notes.txt", 8);
		expect(index.size(KEY)).toBe(7);
		expect(index.size(KEY.replace(".webp", ".png"))).toBeUndefined();
		expect(index.size(KEY.replace("sha256/01/0", "sha256/11/1"))).toBeUndefined();
		expect(index.size("objects/notes.txt")).toBe(8);
	});

	test("an object's checksum is its name", () => {
		expect(checksumByName(KEY)).toBe(Buffer.from(HASH, "hex").toString("base64"));
		expect(checksumByName("tables/images/0123.parquet")).toBeNull();
	});
});

describe("the limit of bytes in flight", () => {
	test("holds no more bytes than it may, but one piece always, in the order of the calls", async () => {
		const limit = new ByteLimit(10);
		const entered: number[] = [];
		const leave: (() => void)[] = [];
		const run = (name: number, bytes: number) =>
			limit.run(bytes, () => {
				entered.push(name);
				return new Promise<void>((resolve) => leave.push(resolve));
			});
		const all = [run(1, 6), run(2, 4), run(3, 50), run(4, 1)];
		const next = async () => {
			leave.shift()?.();
			await new Promise(setImmediate);
			return [...entered];
		};
		expect(entered).toEqual([1, 2]);
		expect(await next()).toEqual([1, 2]);
		expect(await next()).toEqual([1, 2, 3]);
		expect(await next()).toEqual([1, 2, 3, 4]);
		await next();
		await Promise.all(all);
	});

	test("a piece that fails makes room all the same", async () => {
		const limit = new ByteLimit(1);
		await expect(limit.run(5, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
		expect(await limit.run(5, async () => "in")).toBe("in");
	});
});

describe("answers of a server", () => {
	const place = { store: "s3://bucket/lake", bucket: "bucket", endpoint: "http://host:9000" };
	const answer = (name: string, httpStatusCode?: number) =>
		Object.assign(new Error("AKIAEXAMPLE secret text"), {
			name,
			$metadata: { httpStatusCode },
			AWSAccessKeyId: "AKIA",
		});
	const network = (code: string) => Object.assign(new Error("AKIAEXAMPLE"), { code });

	test.each([
		["InternalError", 500, true, "LAKE_UNAVAILABLE"],
		["SlowDown", 503, true, "LAKE_UNAVAILABLE"],
		["ConditionalRequestConflict", 409, true, "LAKE_UNAVAILABLE"],
		["RequestTimeout", 400, true, "LAKE_UNAVAILABLE"],
		["BadDigest", 400, true, "LAKE_UNAVAILABLE"],
		["SyntaxError", 200, true, "LAKE_UNAVAILABLE"],
		["NotImplemented", 501, false, "LAKE_UNWRITABLE"],
		["InvalidRequest", 400, false, "LAKE_UNWRITABLE"],
		["AccessDenied", 403, false, "LAKE_UNWRITABLE"],
		["PermanentRedirect", 301, false, "LAKE_UNWRITABLE"],
		["NoSuchBucket", 404, false, "LAKE_NOT_FOUND"],
		["XMinioStorageFull", 507, false, "NO_SPACE"],
		["CredentialsProviderError", undefined, false, "LAKE_UNWRITABLE"],
		["TimeoutError", undefined, true, "LAKE_UNAVAILABLE"],
	])("%s, %s: another try can help: %s; %s", (name, status, again, code) => {
		const error = answer(name, status);
		expect(isTransient(error)).toBe(again);
		const told = storeError(error, place, "latest.json");
		expect(told).toMatchObject({ code, retry: again || code === "NO_SPACE" });
		expect(JSON.stringify([told, told.message, told.cause])).not.toContain("AKIA");
	});

	test.each(["ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EPIPE"])("%s of the network passes", (code) => {
		expect(isTransient(network(code))).toBe(true);
		expect(storeError(network(code), place, "latest.json")).toMatchObject({ code: "LAKE_UNAVAILABLE" });
	});

	test("a local file's error stays what it is, and a defect is told as one", () => {
		const local = Object.assign(new Error("ENOENT"), { code: "ENOENT", path: "/scratch/x" });
		expect(isTransient(local)).toBe(false);
		expect(storeError(local, place, "x")).toBe(local);
		expect(storeError(new TypeError("x is not a function"), place, "x")).toMatchObject({ code: "INTERNAL" });
	});
});
