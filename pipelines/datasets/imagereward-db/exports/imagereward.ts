import { writeFile } from "node:fs/promises";
import { fileNameOf, imageFiles } from "../../../export/job.js";
import type { Exported, ExportJob } from "../../../ports/exports.js";
import { shardParts } from "../../../shards.js";
import { type Prompt, promptsOf, type RewardImage } from "./pairs.js";

/** The authors' training code reads `<data_base>/{train,valid,test}.json` and `<image_base>/<generation>` (train/src/rank_pair_dataset.py). */

const NAMES: Record<string, string> = { train: "train.json", validation: "valid.json", test: "test.json" };

export async function exportImageReward(job: ExportJob): Promise<Exported> {
	const items = new Map<string, unknown[]>();
	for await (const shard of job.shards()) {
		const { split } = shardParts(shard.shard);
		const own = items.get(split) ?? [];
		items.set(split, own);
		for (const prompt of promptsOf(shard.rows)) own.push(itemOf(prompt));
		await imageFiles(job, shard.rows, (image) => `images/${generationOf(image as RewardImage)}`);
	}
	const files = [];
	for (const [split, list] of items) {
		// Four spaces and texts as they are, as the authors wrote theirs.
		files.push(
			await job.file(NAMES[split] ?? `${split}.json`, (local) =>
				writeFile(local, `${JSON.stringify(list, null, 4)}\n`),
			),
		);
	}
	return { files, last: null };
}

function itemOf({ prompt_id, prompt, images }: Prompt): Record<string, unknown> {
	return {
		id: prompt_id,
		prompt,
		generations: images.map(generationOf),
		ranking: images.map(({ rank }) => rank),
	};
}

/** `part-005658/images/0040/<uuid>.webp` of the prompt `005658-0040`; of an id of another form, which may hold anything, no part. */
function generationOf(image: RewardImage): string {
	const [, part, prompt] = /^(\d{1,9})-(\d{1,9})$/.exec(image.prompt_id) ?? [];
	const folder = part === undefined ? "other" : `part-${part}/images/${prompt}`;
	return `${folder}/${fileNameOf(image)}`;
}
