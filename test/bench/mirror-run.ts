import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { ROOT } from "../support/root.js";
import { type PssPeak, watchPss } from "./pss.js";

/** What the benches need of `mirror --json`. */
const MirrorDocument = z.object({
	state: z.string(),
	seconds: z.number(),
	counts: z.object({ rows_published: z.int(), members_in: z.int() }).nullable(),
});

export interface MirrorRun {
	/** Of the whole process, start and publishing included. */
	wallSeconds: number;
	images: number;
	memory: PssPeak;
}

export interface MirrorRequest {
	endpoint: string;
	shards: string;
	/** Folder for lake and scratch, made empty first; the lake is left in `<folder>/lake`. */
	folder: string;
	concurrency: number;
	sampleEveryMs: number;
}

/** Variables that would send the run elsewhere or change what it does. */
function cleanEnvironment(endpoint: string): NodeJS.ProcessEnv {
	const kept = Object.entries(process.env).filter(([name]) => !/^(IRLAKE_|HF_|HTTPS?_PROXY$)/i.test(name));
	return { ...Object.fromEntries(kept), HF_ENDPOINT: endpoint, LOG_LEVEL: "warn" };
}

/** Mirrors the shards from a Hub into a fresh lake. Throws unless it published. */
export async function runMirror(request: MirrorRequest): Promise<MirrorRun> {
	rmSync(request.folder, { recursive: true, force: true });
	mkdirSync(request.folder, { recursive: true });
	const args = ["mirror", "--source", "hf://zai-org/ImageRewardDB", "--shards", request.shards, "--json"];
	args.push("--lake", join(request.folder, "lake"), "--scratch", join(request.folder, "scratch"));
	args.push("--concurrency", String(request.concurrency));
	const start = process.hrtime.bigint();
	const child = spawn(process.execPath, [join(ROOT, "bin/irlake.js"), ...args], {
		env: cleanEnvironment(request.endpoint),
		stdio: ["ignore", "pipe", "inherit"],
	});
	const ended = once(child, "exit");
	const output = text(child.stdout);
	await once(child, "spawn");
	// spawn() has succeeded, so there is a pid.
	const watch = watchPss(child.pid as number, request.sampleEveryMs);
	const [code] = await ended;
	const wallSeconds = Number(process.hrtime.bigint() - start) / 1e9;
	const memory = watch.stop();
	const document = await output;
	if (code !== 0) throw new Error(`irlake mirror ended with ${code}: ${document}`);
	const { state, counts } = MirrorDocument.parse(JSON.parse(document));
	if (state !== "published" || counts === null) throw new Error(`irlake mirror ended as ${state}`);
	return { wallSeconds, images: counts.rows_published, memory };
}
