import { resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parseLake, parseSource } from "../../../workers/addresses.js";
import { refusal } from "../../support/refusal.js";

describe("addresses of sources and lakes", () => {
	test.each([
		["hf://zai-org/ImageRewardDB", { kind: "hub", repo: "zai-org/ImageRewardDB", revision: "main" }],
		["hf://a/b@refs/pr/1", { kind: "hub", repo: "a/b", revision: "refs/pr/1" }],
		["file:///data/copy%20of", { kind: "folder", folder: "/data/copy of" }],
		["/data/copy", { kind: "folder", folder: "/data/copy" }],
		["./copy", { kind: "folder", folder: resolve("copy") }],
	])("source %s", (text, address) => {
		expect(parseSource(text)).toEqual(address);
	});

	test.each([
		"zai-org/ImageRewardDB",
		"hf://ImageRewardDB",
		"hf://a/b@",
		"https://huggingface.co/a/b",
		"file://host/x",
		"s3://b",
	])("%s is no source", (text) => {
		expect(refusal(() => parseSource(text)).code).toBe("USAGE");
	});

	test("a refused address does not show the credentials in it", () => {
		expect(refusal(() => parseSource("https://user:secret@host/x")).message).not.toContain("secret");
		expect(refusal(() => parseLake("s3://user:secret@bucket/x"))).toMatchObject({ code: "USAGE" });
		expect(refusal(() => parseLake("gs://user:secret@bucket/x"))).toMatchObject({ code: "LAKE_UNSUPPORTED" });
		expect(refusal(() => parseLake("gs://user:secret@bucket/x")).message).not.toContain("secret");
		expect(refusal(() => parseLake("s3://user:secret@bucket/x")).message).not.toContain("secret");
	});

	test("a lake is a folder, as a path or as an address", () => {
		expect(parseLake("file:///data/lake")).toEqual({ kind: "folder", folder: "/data/lake" });
		expect(parseLake("lake")).toEqual({ kind: "folder", folder: resolve("lake") });
		expect(refusal(() => parseLake("file://host/lake")).code).toBe("LAKE_UNSUPPORTED");
		expect(refusal(() => parseLake("file:///a%2Fb")).code).toBe("LAKE_UNSUPPORTED");
	});

	test.each([
		["s3://bucket", "bucket", ""],
		["s3://bucket/", "bucket", ""],
		["s3://my.bucket-1/a/b c/ü/", "my.bucket-1", "a/b c/ü"],
	])("a lake on S3: %s", (text, bucket, prefix) => {
		expect(parseLake(text)).toEqual({ kind: "s3", bucket, prefix });
	});

	test.each(["s3://", "s3:///a", "s3://b", "s3://bucket//a", "s3://bucket/../a", "s3://bucket/a?b", "s3://bu cket/a"])(
		"%s is no lake on S3",
		(text) => {
			expect(refusal(() => parseLake(text))).toMatchObject({ code: "USAGE" });
		},
	);

	test("a repository without hf:// is no source, but meant as one", () => {
		expect(refusal(() => parseSource("zai-org/ImageRewardDB")).hint).toContain(
			"Did you mean hf://zai-org/ImageRewardDB?",
		);
		expect(refusal(() => parseSource("s3://b")).hint).not.toContain("Did you mean");
	});
});
