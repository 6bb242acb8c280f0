import { join } from "node:path";
import { ROOT } from "../../support/root.js";
import { CORES, type Contender, type Course, cleanEnvironment, lastLine, newFolder, timed } from "./contender.js";
import { CACHE } from "./samples.js";
import { countDifferent, parquetValues } from "./values.js";

/** What people use without this project: a shell pipeline, and a Python script. */

/** Installs the pipeline's programs where they are missing and that may be. Throws where they cannot be had. */
export async function shellContender(course: Course): Promise<Contender> {
	const { endpoint, shards } = course;
	await lastLine(join(ROOT, "test/tools/bench/shell-tools.sh"), []);
	let runs = 0;
	return {
		name: "shell",
		about: "curl, unzip, one sha256sum over all members, dwebp by xargs -P; no table",
		async run() {
			const folder = newFolder(course, `shell-${++runs}`);
			const args = [endpoint, folder, String(CORES), ...shards];
			const { value, seconds, cpuSeconds } = await timed(() => lastLine(join(ROOT, "test/tools/bench/shell.sh"), args));
			return { images: Number(value), seconds, cpuSeconds };
		},
	};
}

/** The Python that runs the script; made at the first call. Throws where it cannot be had. */
export function benchPython(): Promise<string> {
	const requirements = join(ROOT, "test/tools/bench/requirements.txt");
	return lastLine(join(ROOT, "infra/scripts/python-env.sh"), [join(CACHE, "python"), requirements]);
}

export async function pythonContender(course: Course, pool: boolean): Promise<Contender> {
	const python = await benchPython();
	const { endpoint, shards, expected } = course;
	let runs = 0;
	const pixels = new Map([...expected].map(([id, values]) => [id, values.split(" ")[0] ?? ""]));
	// The library's own telemetry and its news of updates would go over the network.
	const env = { ...cleanEnvironment(endpoint), HF_HUB_DISABLE_TELEMETRY: "1", HF_HUB_DISABLE_PROGRESS_BARS: "1" };
	return {
		name: pool ? "pool" : "python",
		about: `huggingface_hub, zipfile, hashlib, Pillow, pyarrow: the images table, ${pool ? "one process a zip" : "one process"}`,
		async run() {
			const folder = newFolder(course, `${pool ? "pool" : "python"}-${++runs}`);
			const args = [join(ROOT, "test/tools/bench/usual.py"), ...(pool ? ["--pool"] : []), folder, ...shards];
			const { value, seconds, cpuSeconds } = await timed(() => lastLine(python, args, env));
			const files = shards.map((shard) => join(folder, `${shard}.parquet`));
			const valuesDifferent = countDifferent(pixels, await parquetValues(files, "pixel_sha256"));
			return { images: Number(value), seconds, cpuSeconds, valuesDifferent };
		},
	};
}
