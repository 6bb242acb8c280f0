import { type Bar, barPlot } from "./plot.js";
import type { BenchResult, UploadResult } from "./result.js";
import { rate, type Spread, spread } from "./targets.js";

/** `docs/benchmarks.md` and its plot, from what a bench left. */

const OURS = ["mirror", "structure"];
const LABELS: Record<string, string> = {
	floor: "C loop",
	mirror: "irlake",
	structure: "irlake --verify structure",
	shell: "shell pipeline",
	pool: "Python pool",
	python: "Python, one process",
};

/** @param upload what the bench of uploads left, where it ran */
export function benchmarksPage(result: BenchResult, upload: UploadResult | null): string {
	const { images, shards, machine, contenders } = result;
	const runs = Math.min(...contenders.map((one) => one.runs.length));
	const parts = [
		"# Benchmarks",
		"",
		"Written by `node dist/test/tools/bench/write-page.js` from what `make bench` measured; not by hand.",
		"",
		`${images} different pictures of 512×512 in ${shards} shards, mirrored from a Hub on the loopback interface that runs on`,
		"the same cores. Interleaved runs, page cache warm, disk synced before each; whole processes from start to end, the C",
		`loop by its own clock. Medians of ${runs} ${runs === 1 ? "run" : "runs"}, least and greatest in parentheses. What is compared are ratios: absolute`,
		"figures are this machine's.",
		"",
		`Machine: ${machine.cores} cores, ${machine.cpu}, ${machine.memory_gb} GB; ${machine.system}.`,
		"",
		"![Images per second of each contender](benchmarks.svg)",
		"",
		...contendersTable(result),
		"",
		"## Targets",
		"",
		...targetsTable(result),
		"",
		`Values: ${valuesText(result)}`,
		"",
		...uploadPart(upload),
		"## Who they are",
		"",
		...contenders.map(({ name, about }) => `- **${LABELS[name] ?? name}**: ${about}.`),
		"",
		"The others do less than a mirror: no hash of a zip is checked, no row is held against the metadata, nothing can be",
		"resumed, and no snapshot is published. The C loop does not even fetch.",
		"",
		"## Versions",
		"",
		"| | |",
		"|---|---|",
		...Object.entries(result.versions).map(([name, version]) => `| ${name} | ${version.replace(/^sharp /, "")} |`),
		"",
	];
	return parts.join("\n");
}

export function benchmarksPlot({ contenders, images }: BenchResult): string {
	const bars: Bar[] = contenders.map(({ name, runs }) => ({
		label: LABELS[name] ?? name,
		ours: OURS.includes(name),
		...spread(runs.map(rate)),
	}));
	return barPlot(`Images per second (median; line: least to greatest), ${images} pictures`, bars);
}

function contendersTable({ contenders, machine }: BenchResult): string[] {
	const rows = contenders.map(({ name, runs }) => {
		const share = runs.map(({ cpuSeconds, seconds }) => cpuSeconds / (seconds * machine.cores));
		const memory = runs.flatMap(({ peakPssMb }) => peakPssMb ?? []);
		const cells = [
			LABELS[name] ?? name,
			spreadText(spread(runs.map(rate)), 1),
			spreadText(spread(runs.map(({ seconds }) => seconds)), 1),
			spread(runs.map(({ cpuSeconds }) => cpuSeconds)).median.toFixed(1),
			`${(100 * spread(share).median).toFixed(0)}%`,
			name === "floor" ? "–" : spread(runs.map(({ hubCpuSeconds }) => hubCpuSeconds)).median.toFixed(2),
			memory.length > 0 ? spread(memory).median.toFixed(0) : "",
		];
		return `| ${cells.join(" | ")} |`;
	});
	return [
		"| | images/s | seconds | CPU seconds | of all cores | the Hub's CPU seconds | peak PSS, MB |",
		"|---|---:|---:|---:|---:|---:|---:|",
		...rows,
	];
}

function targetsTable({ targets }: BenchResult): string[] {
	return [
		"| images per second, as a multiple of | measured | asked | |",
		"|---|---:|---:|---|",
		...targets.map(
			({ name, ratio, least, met }) => `| ${name} | ${ratio.toFixed(2)} | ≥ ${least} | ${met ? "met" : "**missed**"} |`,
		),
	];
}

function valuesText({ values_different, contenders }: BenchResult): string {
	const compared = contenders.filter(({ runs }) => runs.some((run) => run.valuesDifferent !== undefined));
	const names = compared.map(({ name }) => LABELS[name] ?? name).join(", ");
	return values_different === 0
		? `every picture's \`pixel_sha256\` (and irlake's \`dhash\`) equals the C loop's, in every run of ${names}.`
		: `**${values_different} differ from the C loop's** (${names}).`;
}

function uploadPart(upload: UploadResult | null): string[] {
	if (upload === null) return [];
	const { objects, bytes, ratio, least, seconds, s5cmd_seconds } = upload;
	const row = (name: string, took: number[]): string =>
		`| ${name} | ${spreadText(spread(took.map((one) => objects / one)), 0)} |`;
	return [
		"## Upload",
		"",
		`${objects} objects of ${bytes / 1000} kB to one S3 server on the loopback interface, in turn. Ratio ${ratio.toFixed(2)},`,
		`at least ${least} is asked: ${ratio >= least ? "met" : "**missed**"}.`,
		"",
		"| | objects/s |",
		"|---|---:|",
		row("irlake", seconds),
		row("s5cmd", s5cmd_seconds),
		"",
	];
}

function spreadText({ median, min, max }: Spread, digits: number): string {
	return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}
