import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { ROOT } from "../../support/root.js";
import { type Contender, type Course, cleanEnvironment, newFolder, timed } from "./contender.js";
import { type PssPeak, watchPss } from "./pss.js";
import { countDifferent, lakeValues } from "./values.js";

/** What the benches need of `mirror --json`. */
const MirrorDocument = z.object({
	state: z.string(),
	seconds: z.number(),
	counts: z.object({ rows_published: z.int(), members_in: z.int() }).nullable(),
});

export interface MirrorRun {
	/** Of the whole process, start and publishing included. */
	wallSeconds: number;
	cpuSeconds: number;
	images: number;
	memory: PssPeak;
}

export interface MirrorRequest {
	endpoint: string;
	shards: string;
	/** Folder for lake and scratch, made empty first; the lake is left in `<folder>/lake`, unless it is elsewhere. */
	folder: string;
	/** A lake elsewhere, and what is needed to reach it. */
	remote?: { lake: string; env: NodeJS.ProcessEnv };
	concurrency: number;
	sampleEveryMs: number;
	/** Default: decode. */
	verify?: "structure";
}

/** Mirrors the shards from a Hub into a fresh lake. Throws unless it published. */
export async function runMirror(request: MirrorRequest): Promise<MirrorRun> {
	rmSync(request.folder, { recursive: true, force: true });
	mkdirSync(request.folder, { recursive: true });
	const args = ["mirror", "--source", "hf://zai-org/ImageRewardDB", "--shards", request.shards, "--json"];
	args.push(
		"--lake",
		request.remote?.lake ?? join(request.folder, "lake"),
		"--scratch",
		join(request.folder, "scratch"),
	);
	args.push("--concurrency", String(request.concurrency));
	if (request.verify) args.push("--verify", request.verify);
	const { value, seconds, cpuSeconds } = await timed(() => runWatched(args, request));
	const { code, document, memory } = value;
	if (code !== 0) throw new Error(`irlake mirror ended with ${code}: ${document}`);
	const { state, counts } = MirrorDocument.parse(JSON.parse(document));
	if (state !== "published" || counts === null) throw new Error(`irlake mirror ended as ${state}`);
	return { wallSeconds: seconds, cpuSeconds, images: counts.rows_published, memory };
}

async function runWatched(
	args: string[],
	{ endpoint, sampleEveryMs, remote }: MirrorRequest,
): Promise<{ code: unknown; document: string; memory: PssPeak }> {
	const child = spawn(process.execPath, [join(ROOT, "bin/irlake.js"), ...args], {
		env: { ...cleanEnvironment(endpoint), ...remote?.env },
		stdio: ["ignore", "pipe", "inherit"],
	});
	const ended = once(child, "exit");
	const output = text(child.stdout);
	await once(child, "spawn");
	// spawn() has succeeded, so there is a pid.
	const watch = watchPss(child.pid as number, sampleEveryMs);
	const [code] = await ended;
	const memory = watch.stop();
	return { code, document: await output, memory };
}

/** `irlake mirror` into a fresh lake; `structure` looks at the pictures' containers only. */
export function mirrorContender(course: Course, concurrency: number, verify: "decode" | "structure"): Contender {
	let runs = 0;
	return {
		name: verify === "decode" ? "mirror" : "structure",
		about:
			verify === "decode"
				? "irlake mirror: every check, objects, four tables, one published snapshot"
				: "irlake mirror --verify structure: the same without decoding",
		async run() {
			const { endpoint, shards } = course;
			const folder = newFolder(course, `mirror-${verify}-${++runs}`);
			const made = await runMirror({
				endpoint,
				shards: shards.join(","),
				folder,
				concurrency,
				sampleEveryMs: 500,
				...(verify === "structure" ? { verify } : {}),
			});
			const different =
				verify === "decode" ? countDifferent(course.expected, await lakeValues(join(folder, "lake"))) : 0;
			return {
				images: made.images,
				seconds: made.wallSeconds,
				cpuSeconds: made.cpuSeconds,
				peakPssMb: made.memory.peakBytes / 1e6,
				...(verify === "decode" ? { valuesDifferent: different } : {}),
			};
		},
	};
}
