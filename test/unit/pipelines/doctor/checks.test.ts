import { describe, expect, test } from "@jest/globals";
import { clockVerdict } from "../../../../pipelines/doctor/access.js";
import { runChecks } from "../../../../pipelines/doctor/check.js";
import { raceWriters, tryStore } from "../../../../pipelines/doctor/lake-writes.js";
import { diskNeed, diskVerdict, memoryVerdict, nodeVerdict } from "../../../../pipelines/doctor/resources.js";
import { ok } from "../../../../pipelines/doctor/verdict.js";
import type { Store } from "../../../../pipelines/ports/store.js";
import { LakeError } from "../../../../schemas/errors.js";
import { wrapText } from "../../../../workers/report/format.js";
import { MemoryStore } from "../../../support/memory-store.js";

/** Each of the doctor's checks ends with a verdict of its own, and finds the fault that it is there for. */

const never = new AbortController().signal;
const text = (bytes: number): string => `${bytes} B`;

describe("checks stand by themselves", () => {
	test("one throws, one hangs, one is in order: three verdicts, in their order", async () => {
		const checks = [
			{ name: "known", run: () => Promise.reject(new LakeError("HUB_GATED", "It is gated.")) },
			{ name: "hangs", run: () => new Promise<never>(() => {}) },
			{ name: "odd", run: () => Promise.reject(new TypeError("hf_secret in a library's words")) },
			{ name: "good", run: async () => ok("yes") },
		];
		const results = await runChecks(checks, 0.05, never);
		expect(results.map(({ name, state }) => `${name} ${state}`)).toEqual([
			"known failed",
			"hangs failed",
			"odd failed",
			"good ok",
		]);
		expect(results[0]).toMatchObject({ detail: "It is gated.", mend: expect.stringContaining("HF_TOKEN") });
		expect(results[1]?.detail).toBe("No answer within 0.05 s.");
		expect(JSON.stringify(results)).not.toContain("secret");
	});

	test("an interruption is no verdict", async () => {
		const stop = new AbortController();
		const running = runChecks([{ name: "hangs", run: () => new Promise<never>(() => {}) }], 60, stop.signal);
		stop.abort(new Error("stopped"));
		await expect(running).rejects.toThrow("stopped");
	});
});

describe("races", () => {
	/** A store like the given one but for some of its calls. */
	const but = (store: Store, calls: Partial<Store>): Store =>
		new Proxy(store, { get: (of, key) => own(of, key, calls) });
	const own = (of: Store, key: string | symbol, calls: Partial<Store>): unknown => {
		const value = Reflect.get(key in calls ? calls : of, key);
		return typeof value === "function" && !(key in calls) ? value.bind(of) : value;
	};

	test("an honest store passes, writers apart or the same", async () => {
		const store = new MemoryStore();
		expect(await raceWriters(store, store)).toBeNull();
		await expect(tryStore(store)).resolves.toBeUndefined();
	});

	test.each<[string, (store: Store) => Partial<Store>, RegExp]>([
		["every put wins", () => ({ putIfAbsent: async () => true }), /racing puts 2 won/],
		["no put wins", () => ({ putIfAbsent: async () => false }), /racing puts 0 won/],
		["every swap wins", () => ({ replace: async () => true }), /racing swaps 2 won/],
		["a swap looks at nothing", (store) => ({ replace: careless(store) }), /changed was let through|racing swaps/],
	])("found out: %s", async (_, calls, says) => {
		const store = new MemoryStore();
		const liar = but(store, calls(store));
		expect(await raceWriters(liar, liar)).toMatch(says);
	});

	/** Lets the first of two racing swaps through and refuses the second, whatever stands there. */
	function careless(store: Store): Store["replace"] {
		let turn = 0;
		return async (path, content) => {
			turn += 1;
			if (turn % 3 === 2) return false;
			return store.replace(path, content, await store.get(path));
		};
	}

	test("a store that forgets what it was given", async () => {
		const forgetful = but(new MemoryStore(), { get: async () => null });
		await expect(tryStore(forgetful)).rejects.toMatchObject({ code: "LAKE_UNSUPPORTED" });
		expect(await raceWriters(forgetful, forgetful)).toContain("loser's bytes");
	});
});

describe("what a run takes", () => {
	const wanted = { shards: ["train_1", "train_2", "train_3", "test_1"], splits: ["train" as const, "test" as const] };
	const sizes = new Map([
		["train_1", 100e6],
		["train_2", 300e6],
		["train_3", 200e6],
		["test_1", 50e6],
	]);
	const survey = { where: "", shards: sizes, splits: new Set(wanted.splits), unreadable: [] };

	test("the lake needs what is not there yet, scratch the largest zips in flight", () => {
		expect(diskNeed(survey, wanted, new Set(["train_2"]), 2)).toEqual({
			lake: 350e6 * 1.02,
			scratch: 300e6 + 256e6,
			known: true,
		});
		expect(diskNeed(survey, wanted, new Set(wanted.shards), 2)).toEqual({ lake: 0, scratch: 0, known: true });
		expect(diskNeed(null, wanted, new Set(), 3)).toMatchObject({ scratch: 3 * 640e6 + 256e6, known: false });
	});

	test("on one file system both needs add up", () => {
		const room = { what: "lake", folder: "/lake", free: 150, need: 100, beside: 0 };
		expect(diskVerdict(room, true, text).state).toBe("ok");
		expect(diskVerdict({ ...room, beside: 60 }, true, text)).toMatchObject({
			state: "failed",
			detail: "Only 150 B free in /lake; a full run, lake and scratch together, takes 160 B.",
		});
	});

	test.each([
		[700e6, 2, "ok"],
		[699e6, 2, "warn"],
		[349e6, 2, "failed"],
		[799e6, 4, "warn"],
	])("%d bytes of memory for %d threads: %s", (available, threads, state) => {
		expect(memoryVerdict(available, threads, text).state).toBe(state);
	});

	test.each([
		["v20.19.0", "ok"],
		["v20.18.3", "failed"],
		["v22.0.0", "ok"],
		["v18.99.9", "failed"],
	])("Node %s: %s", (version, state) => {
		expect(nodeVerdict(version, ">=20.19").state).toBe(state);
	});

	test("clocks: seconds are no news, behind and ahead are told apart", () => {
		const ours = new Date("2024-03-04T05:06:07Z");
		const theirs = (seconds: number) => new Date(ours.getTime() + seconds * 1000);
		expect(clockVerdict("the Hub", theirs(29), ours).state).toBe("ok");
		expect(clockVerdict("the Hub", theirs(90), ours).detail).toContain("90 s behind the Hub");
		expect(clockVerdict("the Hub", theirs(-90), ours).detail).toContain("90 s ahead of the Hub");
		expect(clockVerdict("the Hub", new Date("no date"), ours).state).toBe("skipped");
	});
});

test("text is wrapped between words, and what is longer than a line is cut", () => {
	expect(wrapText("one two three", 7)).toEqual(["one two", "three"]);
	expect(wrapText("at /a/very/long/path here", 8)).toEqual(["at", "/a/very/", "long/pat", "h here"]);
});
