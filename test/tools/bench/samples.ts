import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import yauzl from "yauzl";
import { ROOT } from "../../support/root.js";
import { makeSample } from "../sample/make.js";

/** Sources for the benches, made once and kept under `.cache/bench`. */
export const CACHE = join(ROOT, ".cache/bench");

/** Names of the train shards 1 … `count`. */
export function trainShards(count: number): string[] {
	return Array.from({ length: count }, (_, index) => `train_${index + 1}`);
}

export function zipPath(source: string, shard: string): string {
	return join(source, "images/train", `${shard}.zip`);
}

/** Calls `make` with a folder aside unless `.cache/bench/<name>` is there already; returns that folder. */
async function once(name: string, make: (folder: string) => Promise<void>): Promise<string> {
	const folder = join(CACHE, name);
	if (existsSync(folder)) return folder;
	const aside = `${folder}.part`;
	rmSync(aside, { recursive: true, force: true });
	mkdirSync(aside, { recursive: true });
	await make(aside);
	renameSync(aside, folder);
	return folder;
}

/** A source of train shards with `images` pictures each, every picture different. */
export function cachedSource(shards: number, images: number, seed: number): Promise<string> {
	return once(`source-${shards}x${images}-${seed}`, async (folder) => {
		process.stderr.write(`Making ${shards} shards of ${images} images …\n`);
		await makeSample(folder, { shards: trainShards(shards), images, seed });
	});
}

/** The pictures of each shard as files, one folder a shard; returns the folders. */
export async function cachedUnpacked(source: string, shards: string[]): Promise<string[]> {
	const name = `${source.slice(CACHE.length + 1)}-unpacked`;
	const root = await once(name, async (folder) => {
		for (const shard of shards) {
			mkdirSync(join(folder, shard));
			await unpack(zipPath(source, shard), join(folder, shard));
		}
	});
	return shards.map((shard) => join(root, shard));
}

async function unpack(zip: string, folder: string): Promise<void> {
	const archive = await yauzl.openPromise(zip);
	for await (const entry of archive.eachEntry()) {
		if (entry.fileName.endsWith("/")) continue;
		const name = entry.fileName.slice(entry.fileName.lastIndexOf("/") + 1);
		await pipeline(await archive.openReadStreamPromise(entry), createWriteStream(join(folder, name)));
	}
}

/**
 * A source of one train shard whose zip has at least `bytes` bytes, and little more. A small shard of the
 * same kind tells how large a picture is.
 */
export async function cachedSourceOfSize(bytes: number, seed: number): Promise<string> {
	return once(`shard-${Math.round(bytes / 1e6)}mb-${seed}`, async (folder) => {
		const probe = 48;
		await makeSample(join(folder, "probe"), { shards: ["train_1"], images: probe, seed });
		const each = statSync(zipPath(join(folder, "probe"), "train_1")).size / probe;
		rmSync(join(folder, "probe"), { recursive: true });
		const images = Math.ceil((bytes * 1.02) / each);
		process.stderr.write(`Making one shard of ${images} images …\n`);
		await makeSample(folder, { shards: ["train_1"], images, seed });
		const size = statSync(zipPath(folder, "train_1")).size;
		if (size < bytes) throw new Error(`the shard came out at ${size} bytes, less than ${bytes}`);
	});
}

export function writeResult(name: string, result: unknown): string {
	const path = join(CACHE, name);
	writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
	return path;
}
