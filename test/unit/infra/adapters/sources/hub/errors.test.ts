import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { refusal } from "../../../../../../infra/adapters/sources/hub/errors.js";
import { waitSeconds } from "../../../../../../infra/adapters/sources/hub/headers.js";
import { nextHop, nextLink } from "../../../../../../infra/adapters/sources/hub/http.js";
import { hubToken } from "../../../../../../infra/adapters/sources/hub/token.js";
import { tempDir } from "../../../../../support/root.js";

/** What the Hub answers is told apart by its protocol's signs: refusals, waits, redirects, pages; never by message text. */

const endpoint = new URL("https://hub.example");
const dataset = { repo: "zai-org/ImageRewardDB", revision: "main", file: null };
const file = { ...dataset, file: "images/train/train_1.zip" };

describe("a refusal of the Hub is told apart by the protocol's own signs", () => {
	const invalid = { "x-error-message": "Invalid credentials in Authorization header" };
	const disabled = { "x-error-message": "Access to this resource is disabled." };
	const html = { "content-type": "text/html; charset=utf-8" };
	const json = { "content-type": "application/json" };
	test.each([
		["gated, without a token", 401, { "x-error-code": "GatedRepo" }, dataset, "HUB_GATED", false],
		["gated, with a token", 403, { "x-error-code": "GatedRepo" }, file, "HUB_GATED", false],
		["missing", 404, { "x-error-code": "RepoNotFound" }, dataset, "HUB_NOT_FOUND", false],
		["missing or private", 401, {}, dataset, "HUB_NOT_FOUND", false],
		["invalid token", 401, invalid, dataset, "HUB_TOKEN_INVALID", false],
		["mistyped revision", 404, { "x-error-code": "RevisionNotFound" }, dataset, "HUB_REVISION_NOT_FOUND", false],
		["missing entry", 404, { "x-error-code": "EntryNotFound" }, file, "HUB_ENTRY_NOT_FOUND", false],
		["disabled", 403, disabled, dataset, "HUB_DISABLED", false],
		["a web server's own 404", 404, html, dataset, "HUB_NOT_THE_HUB", false],
		["a proxy that wants a password", 407, {}, dataset, "HUB_PROXY_FAILED", false],
		["404 without a code", 404, json, dataset, "HUB_NOT_FOUND", false],
		["403 without a code", 403, json, dataset, "HUB_GATED", false],
		["too many requests", 429, {}, dataset, "HUB_RATE_LIMITED", true],
		["request timeout", 408, {}, dataset, "HUB_UNAVAILABLE", true],
		["server error, as HTML", 502, html, dataset, "HUB_UNAVAILABLE", true],
		["another client error", 418, json, dataset, "HUB_UNAVAILABLE", false],
	])("%s", (_, status, headers, subject, code, retry) => {
		const error = refusal({ status, headers, elsewhere: false, host: endpoint.host }, subject, endpoint, false);
		expect({ code: error.code, retry: error.retry }).toEqual({ code, retry });
		expect(error.message).toContain("hub.example");
	});

	test("the file store's refusals may be bettered by a new address", () => {
		const error = refusal({ status: 416, headers: {}, elsewhere: true, host: "cdn.test" }, file, endpoint, false);
		expect({ code: error.code, retry: error.retry, path: error.path }).toEqual({
			code: "HUB_UNAVAILABLE",
			retry: true,
			path: file.file,
		});
	});
});

describe("how long the Hub asks to wait", () => {
	test.each([
		["an exhausted window: until its end, and a second", { ratelimit: '"resolvers";r=0;t=55', "retry-after": "3" }, 56],
		["a window with requests left says nothing", { ratelimit: '"resolvers";r=12;t=55' }, null],
		["then Retry-After holds", { ratelimit: '"resolvers";r=12;t=55', "retry-after": "3" }, 3],
		["the longest of several windows", { ratelimit: '"api";r=0;t=5, "pages";r=0;t=9, "resolvers";r=4;t=99' }, 10],
		[
			"a date, by the answer's own clock",
			{
				date: "Mon, 04 Mar 2024 05:06:07 GMT",
				"retry-after": "Mon, 04 Mar 2024 05:06:37 GMT",
			},
			30,
		],
		["a date gone by", { date: "Mon, 04 Mar 2024 05:06:07 GMT", "retry-after": "Mon, 04 Mar 2024 05:00:00 GMT" }, 0],
		["nonsense", { "retry-after": "soon" }, null],
	])("%s", (_, headers, seconds) => {
		expect(waitSeconds(headers)).toBe(seconds);
	});
});

describe("redirects", () => {
	const from = new URL("https://hub.example/datasets/a/b");
	test("a relative one stays on the host", () => {
		expect(nextHop(from, "/datasets/c/d?x=1", endpoint, dataset).href).toBe("https://hub.example/datasets/c/d?x=1");
	});

	test.each([
		["from https to http", "http://cdn.example/x?signature=secret"],
		["to another protocol", "file:///etc/passwd"],
	])("%s is refused without naming the address", (_, location) => {
		let thrown: unknown = null;
		try {
			nextHop(from, location, endpoint, dataset);
		} catch (error) {
			thrown = error;
		}
		expect(thrown).toMatchObject({ code: "HUB_REDIRECT_REFUSED", retry: false });
		expect(String(thrown)).not.toMatch(/secret|passwd/);
	});

	test("http may lead to http where the endpoint is http", () => {
		const local = new URL("http://127.0.0.1:1");
		expect(nextHop(local, "http://127.0.0.1:2/x", local, dataset).port).toBe("2");
	});
});

test("the next page is found among several links and parameters", () => {
	expect(nextLink({ link: '<https://a/1>; rel="prev", <https://a/3,4>; title="x"; rel="next"' })).toBe("https://a/3,4");
	expect(nextLink({ link: '<https://a/1>; rel="nextish"' })).toBeNull();
	expect(nextLink({})).toBeNull();
});

test("the token is found where the Hub's own clients look", () => {
	const home = tempDir("token");
	try {
		mkdirSync(join(home.path, "hf"));
		writeFileSync(join(home.path, "hf/token"), "hf_file\n");
		writeFileSync(join(home.path, "other"), "hf_other\n");
		const HF_HOME = join(home.path, "hf");
		expect(hubToken({ HF_HOME })).toBe("hf_file");
		expect(hubToken({ HF_HOME, HF_TOKEN_PATH: join(home.path, "other") })).toBe("hf_other");
		expect(hubToken({ HF_HOME, HF_TOKEN: " hf_given " })).toBe("hf_given");
		expect(hubToken({ HF_HOME, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" })).toBeNull();
		expect(hubToken({ HF_HOME: join(home.path, "absent") })).toBeNull();
	} finally {
		home.remove();
	}
});
