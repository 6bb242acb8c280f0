import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { runProgram } from "../consumers/run-program.js";
import { ROOT } from "../support/root.js";

/** The C loop of the bench: what must be computed for each image, and nothing else. */

const FloorRun = z.object({
	images: z.int(),
	bytes: z.int(),
	seconds: z.number(),
	images_per_second: z.number(),
	cpu_seconds: z.number(),
	threads: z.int(),
});
export type FloorRun = z.infer<typeof FloorRun>;

async function lastLine(program: string, args: string[]): Promise<string> {
	const { code, stdout, stderr } = await runProgram(program, args);
	if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}`);
	return stdout.trim().split("\n").at(-1) ?? "";
}

/** Builds the loop unless it is built; returns the program's path. Throws where there is no compiler or libwebp. */
export function buildFloor(): Promise<string> {
	return lastLine(join(ROOT, "test/bench/build-floor.sh"), []);
}

/** Runs the loop over folders of pictures, on all cores. */
export async function runFloor(program: string, folders: string[]): Promise<FloorRun> {
	return FloorRun.parse(JSON.parse(await lastLine(program, folders)));
}

/** `pixel_sha256 dhash` by the image's id, from a run that is not timed. */
export async function floorValues(program: string, folders: string[], file: string): Promise<Map<string, string>> {
	await lastLine(program, ["--out", file, ...folders]);
	const lines = readFileSync(file, "utf8").trim().split("\n");
	return new Map(
		lines.map((line) => {
			const [name = "", pixels = "", dhash = ""] = line.split(" ");
			return [name.slice(0, -".webp".length), `${pixels} ${dhash}`];
		}),
	);
}
