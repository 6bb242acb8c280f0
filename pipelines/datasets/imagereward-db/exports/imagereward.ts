import { writeFile } from "node:fs/promises";
import type { Split } from "../../../../schemas/records.js";
import { shardParts } from "../../../dataset.js";
import { each } from "../../../each.js";
import { type Exported, type ExportJob, fileNameOf, type ImageRow, type Prompt } from "../../../export/job.js";
import { countShard } from "./prompts.js";

/** The authors' training code reads `<data_base>/{train,valid,test}.json` and `<image_base>/<generation>` (train/src/rank_pair_dataset.py). */

const NAMES: Record<Split, string> = { train: "train.json", validation: "valid.json", test: "test.json" };

/** How many files are made at once: each is a call or two to the file system. */
const AT_ONCE = 16;

export async function exportImageReward(job: ExportJob): Promise<Exported> {
	const counts = { images: 0, prompts: 0, pairs: 0, ties: 0 };
	const items = new Map<Split, unknown[]>();
	for await (const shard of job.shards()) {
		countShard(counts, shard);
		const { split } = shardParts(shard.shard);
		const own = items.get(split) ?? [];
		items.set(split, own);
		for (const prompt of shard.prompts) own.push(itemOf(prompt));
		await imageFiles(job, shard.rows, (image) => `images/${generationOf(image)}`);
	}
	const files = [];
	for (const [split, list] of items) {
		// Four spaces and texts as they are, as the authors wrote theirs.
		files.push(await job.file(NAMES[split], (local) => writeFile(local, `${JSON.stringify(list, null, 4)}\n`)));
	}
	return { counts, files, last: null };
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
function generationOf(image: ImageRow): string {
	const [, part, prompt] = /^(\d{1,9})-(\d{1,9})$/.exec(image.prompt_id) ?? [];
	const folder = part === undefined ? "other" : `part-${part}/images/${prompt}`;
	return `${folder}/${fileNameOf(image)}`;
}

/** Gives every image a file of its own. */
export async function imageFiles(job: ExportJob, rows: ImageRow[], pathOf: (image: ImageRow) => string): Promise<void> {
	const link = async (image: ImageRow): Promise<void> => {
		await job.imageFile(pathOf(image), image);
		job.onImages(1);
	};
	await each(rows, AT_ONCE, link, job.signal);
}
