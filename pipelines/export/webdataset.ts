import { open, writeFile } from "node:fs/promises";
import { LakeError } from "../../schemas/errors.js";
import type { ExportedFile } from "../../schemas/export.js";
import { recordText } from "../../schemas/records.js";
import type { Exported, ExportJob, ImageRow } from "../ports/exports.js";
import { shardParts } from "../shards.js";
import { fileNameOf, groupsOf } from "./job.js";
import { entrySize, TAR_END, tarHeader, tarPadding } from "./tar.js";

/** WebDataset: tars of `<id>.webp` and `<id>.json`, each group's images in a row, and an index of the tars. */

interface Sample {
	image: ImageRow;
	json: Buffer;
	/** Size in the tar. */
	bytes: number;
}

interface Tar {
	split: string;
	path: string;
	samples: number;
	file: ExportedFile;
}

/**
 * @param group the dataset's group column
 * @param shardSize most bytes of a tar. Throws USAGE if an image does not fit.
 */
export async function exportWebDataset(job: ExportJob, group: string | null, shardSize: number): Promise<Exported> {
	const tars: Tar[] = [];
	const numbers = new Map<string, number>();
	let pending: { split: string; samples: Sample[]; bytes: number } | null = null;

	async function write(): Promise<void> {
		if (!pending) return;
		const { split, samples } = pending;
		const number = numbers.get(split) ?? 0;
		numbers.set(split, number + 1);
		const path = `${split}-${String(number).padStart(6, "0")}.tar`;
		const file = await job.file(path, (local) => writeTar(job, samples, local));
		tars.push({ split, path, samples: samples.length, file });
		job.onImages(samples.length);
		pending = null;
	}

	for await (const shard of job.shards()) {
		const { split } = shardParts(shard.shard);
		for (const images of groupsOf(shard.rows, group)) {
			const samples = images.map((image) => sampleOf(image, shard.shard));
			for (const chunk of fittingChunks(samples, shardSize)) {
				const bytes = sum(chunk);
				// Only rows are kept, never their images: a tar of 1 GB has about 2,400.
				if (pending && (pending.split !== split || pending.bytes + bytes > shardSize)) await write();
				pending ??= { split, samples: [], bytes: TAR_END.length };
				pending.samples.push(...chunk);
				pending.bytes += bytes;
			}
		}
	}
	await write();
	const index = await job.file("index.json", (local) => writeFile(local, indexText(tars)));
	return { files: [...tars.map(({ file }) => file), index], last: null };
}

/** A group's samples as one chunk, so that they share a tar; one chunk each if they do not fit into one. */
function fittingChunks(samples: Sample[], shardSize: number): Sample[][] {
	const capacity = shardSize - TAR_END.length;
	const large = samples.find(({ bytes }) => bytes > capacity);
	if (large) {
		throw new LakeError("USAGE", `--shard-size ${shardSize} is too small for the image ${large.image.image_id}.`, {
			hint: `Give at least ${large.bytes + TAR_END.length}.`,
		});
	}
	if (sum(samples) <= capacity) return [samples];
	return samples.map((sample) => [sample]);
}

function sum(samples: Sample[]): number {
	return samples.reduce((total, { bytes }) => total + bytes, 0);
}

function sampleOf(image: ImageRow, shard: string): Sample {
	const { object_key, bytes, format, ...told } = image;
	const { split } = shardParts(shard);
	const json = Buffer.from(`${JSON.stringify({ ...told, split, shard })}\n`);
	return { image, json, bytes: entrySize(bytes) + entrySize(json.length) };
}

async function writeTar(job: ExportJob, samples: Sample[], local: string): Promise<void> {
	const tar = await open(local, "w");
	try {
		for (const { image, json } of samples) {
			job.signal.throwIfAborted();
			const content = await job.bytesOf(image);
			const name = fileNameOf(image);
			await tar.writev([tarHeader(name, content.length), content, tarPadding(content.length)]);
			const about = `${image.image_id}.json`;
			await tar.writev([tarHeader(about, json.length), json, tarPadding(json.length)]);
		}
		await tar.writev([TAR_END]);
	} finally {
		await tar.close();
	}
}

function indexText(tars: Tar[]): string {
	const splits: Record<string, unknown[]> = {};
	for (const { split, path, samples, file } of tars) {
		splits[split] ??= [];
		splits[split].push({ path, bytes: file.bytes, sha256: file.sha256, samples });
	}
	return recordText({ format: 1, splits });
}
