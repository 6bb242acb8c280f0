import { describe, expect, test } from "@jest/globals";
import { benchmarksPage, benchmarksPlot } from "../../tools/bench/page.js";
import type { BenchResult, TimedRun } from "../../tools/bench/result.js";
import { judge, rate, spread, targets } from "../../tools/bench/targets.js";

/** Runs of 1,000 images that took so many seconds. */
function runs(...seconds: number[]): TimedRun[] {
	return seconds.map((one) => ({ images: 1000, seconds: one, cpuSeconds: one * 2, hubCpuSeconds: 0.25 }));
}

const contenders = [
	{ name: "floor", about: "the loop", runs: runs(4, 5, 10) },
	{ name: "mirror", about: "ours", runs: runs(5, 5, 8).map((run) => ({ ...run, peakPssMb: 300, valuesDifferent: 0 })) },
	{ name: "pool", about: "theirs <&>", runs: runs(8, 8, 9) },
];
const rates = new Map(contenders.map(({ name, runs: list }) => [name, spread(list.map(rate)).median]));
const result: BenchResult = {
	images: 1000,
	shards: 3,
	machine: { cores: 2, cpu: "a processor", memory_gb: 25, system: "a system" },
	versions: { node: "v20.20.2", curl: "7.88.1" },
	contenders,
	targets: judge(targets(0.85), rates),
	values_different: 0,
};

test("the median of an even number of runs lies between the two in the middle", () => {
	expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
	expect(spread([7])).toEqual({ median: 7, min: 7, max: 7 });
});

describe("targets", () => {
	test("only those both of whose contenders ran, at the edge too", () => {
		expect(result.targets.map(({ ours, theirs, ratio, met }) => [ours, theirs, ratio, met])).toEqual([
			["mirror", "floor", 1, true],
			["mirror", "pool", 1.6, true],
		]);
		expect(judge(targets(1), rates)[0]?.met).toBe(true);
		expect(judge(targets(1.001), rates)[0]?.met).toBe(false);
	});
});

describe("the page", () => {
	const page = benchmarksPage(result, null);

	test("gives medians, spreads, ratios, the machine and every version", () => {
		expect(page).toContain("| irlake | 200.0 (125.0–200.0) | 5.0 (5.0–8.0) | 10.0 | 100% | 0.25 | 300 |");
		expect(page).toContain("| C loop | 200.0 (100.0–250.0) | 5.0 (4.0–10.0) | 10.0 | 100% | – |  |");
		expect(page).toContain("| the Python pool | 1.60 | ≥ 1.4 | met |");
		for (const text of [
			"2 cores",
			"a processor",
			"25 GB",
			"a system",
			"| node | v20.20.2 |",
			"| curl | 7.88.1 |",
			"3 runs",
		]) {
			expect(page).toContain(text);
		}
		expect(page).not.toContain("Upload");
	});

	test("a missed target and a wrong value are said in bold", () => {
		const bad = benchmarksPage({ ...result, values_different: 2, targets: judge(targets(9), rates) }, null);
		expect(bad).toContain("| the C loop | 1.00 | ≥ 9 | **missed** |");
		expect(bad).toContain("**2 differ from the C loop's**");
	});

	test("with the bench of uploads, its ratio too", () => {
		const upload = { objects: 2000, bytes: 300_000, ratio: 0.9, least: 0.8, seconds: [4, 5], s5cmd_seconds: [4, 4] };
		const both = benchmarksPage(result, upload);
		expect(both).toContain("| irlake | 450 (400–500) |");
		expect(both).toMatch(/Ratio 0\.90,\s+at least 0\.8 is asked: met/);
	});
});

test("the plot has a bar for each contender, ours told apart, and colours for light and dark", () => {
	const plot = benchmarksPlot(result);
	expect(plot.match(/<rect class="theirs"/g)).toHaveLength(2);
	expect(plot.match(/<rect class="ours"/g)).toHaveLength(1);
	expect(plot).toContain("prefers-color-scheme: dark");
	expect(plot).not.toMatch(/NaN|undefined|Infinity/);
	const widths = [...plot.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width));
	expect(widths[0]).toBe(widths[1]);
	expect((widths[2] ?? 0) / (widths[0] ?? 1)).toBeCloseTo(0.625, 2);
});
