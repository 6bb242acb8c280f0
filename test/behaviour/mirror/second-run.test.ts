import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { documentOf } from "../../support/cli.js";
import { Lab } from "../../support/lab.js";
import { digestOf } from "../../support/lake.js";

/** A run with nothing to do says so at once, with a handful of requests and no zip among them. */

let lab: Lab;
beforeAll(async () => {
	lab = await Lab.open("second-run", { images: 5, size: 32 });
}, 120_000);
afterAll(() => lab.close());

test("the second run of all 36 shards: no zip asked for, at most five requests, under one and a half seconds", async () => {
	const first = await lab.mirror("lake", "--subset", "8k");
	expect(first).toMatchObject({ state: "published", exit_code: 0, number: 1, counts: { shards: 36, rows_in: 180 } });
	const digest = digestOf(lab.path("lake"));
	const seconds: number[] = [];
	// The quickest counts: what a run takes, not what other work on the same cores takes from it.
	while (seconds.length < 3 || (seconds.length < 15 && Math.min(...seconds) >= 1.5)) {
		await lab.hub.reset();
		const started = performance.now();
		const end = await lab.run(["mirror", "--lake", lab.path("lake"), "--json"]);
		seconds.push((performance.now() - started) / 1000);
		expect(documentOf(end)).toMatchObject({ state: "up_to_date", exit_code: 0, number: 1, bytes_downloaded: 0 });
		expect(documentOf(end).shards?.every(({ state }) => state === "reused")).toBe(true);
		const { paths, api, cdn } = await lab.hub.counters();
		expect(Object.keys(paths)).toEqual([]);
		expect(api.requests + cdn.requests).toBeLessThanOrEqual(5);
	}
	expect(Math.min(...seconds)).toBeLessThan(1.5);
	expect(digestOf(lab.path("lake"))).toBe(digest);
}, 180_000);
