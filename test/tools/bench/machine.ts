import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { version as duckdbVersion } from "../../../infra/adapters/duckdb/node-api.js";
import { CODEC_VERSION } from "../../../infra/adapters/images/sharp.js";
import { ROOT } from "../../support/root.js";
import { runProgram } from "../../support/run-program.js";
import { CORES } from "./contender.js";

/** Where figures come from: without machine and versions they say nothing. */

export interface Machine {
	cores: number;
	cpu: string;
	memory_gb: number;
	system: string;
}

export function machine(): Machine {
	const system = /^PRETTY_NAME="(.*)"$/m.exec(textOf("/etc/os-release"))?.[1] ?? process.platform;
	return {
		cores: CORES,
		cpu: cpus()[0]?.model.trim() ?? "unknown",
		memory_gb: Math.round(totalmem() / 1e9),
		system: `${system}, kernel ${release().replace(/-.*/, "")}`,
	};
}

function textOf(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}

/** First line of what programs say about themselves; those that are not there are left out. */
const PROGRAMS: [string, string[]][] = [
	["gcc", ["--version"]],
	["openssl", ["version"]],
	["curl", ["--version"]],
	["unzip", ["-v"]],
	["dwebp", ["-version"]],
	["sha256sum", ["--version"]],
];

/** @param python whose packages are listed too; null where none takes part */
export async function versions(python: string | null): Promise<Record<string, string>> {
	const about = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
	const found: Record<string, string> = {
		irlake: about.version,
		node: process.version,
		duckdb: duckdbVersion(),
		sharp: CODEC_VERSION.split(", ").slice(0, 3).join(", "),
	};
	for (const [program, args] of PROGRAMS) {
		const said = await runProgram(program, args).catch(() => null);
		if (said?.code === 0) found[program] = firstVersion(said.stdout || said.stderr);
	}
	if (python === null) return found;
	const asked =
		"import platform, importlib.metadata as m; print('python', platform.python_version());" +
		"[print(n, m.version(n)) for n in ('huggingface_hub', 'pillow', 'pyarrow')]; from PIL import features;" +
		"print('libwebp of pillow', features.version('webp'))";
	for (const line of (await runProgram(python, ["-c", asked])).stdout.trim().split("\n")) {
		const at = line.lastIndexOf(" ");
		found[line.slice(0, at)] = line.slice(at + 1);
	}
	return found;
}

function firstVersion(text: string): string {
	return /\d+(\.\d+)+[\w+-]*/.exec(text)?.[0] ?? "unknown";
}
