import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ROOT } from "../../support/root.js";
import { type Contender, type Course, lastLine, timed } from "./contender.js";

/** The C loop of the bench: what must be computed for each image, and nothing else. */

const FloorRun = z.object({ images: z.int(), seconds: z.number(), cpu_seconds: z.number() });

/** Builds the loop unless it is built; returns the program's path. Throws where there is no compiler or libwebp. */
export function buildFloor(): Promise<string> {
	return lastLine(join(ROOT, "test/tools/bench/build-floor.sh"), []);
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

/** The loop by its own clock, over unpacked files in the page cache: no Hub, no zip, nothing written. */
export function floorContender(program: string, { folders }: Course): Contender {
	return {
		name: "floor",
		about: "C loop over unpacked files: two SHA-256, CRC-32, libwebp, SHA-256 of the pixels, dhash; writes nothing",
		async run() {
			const { value } = await timed(() => lastLine(program, folders));
			const { images, seconds, cpu_seconds } = FloorRun.parse(JSON.parse(value));
			return { images, seconds, cpuSeconds: cpu_seconds };
		},
	};
}
