import { join } from "node:path";
import { imageRewardDb } from "../../pipelines/datasets/imagereward-db/dataset.js";
import { metadataPath } from "../../pipelines/splits.js";
import { Lab } from "../support/lab.js";
import { ROOT } from "../support/root.js";
import type { SampleOptions } from "../tools/sample/make.js";
import { type Digest, digestExport } from "./digest.js";

/** What the lake in test/fixtures/lake-0.1.0 was made from. It must stay as it is: the lake cannot be made again. */

export const OLD_LAKE: string = join(ROOT, "test/fixtures/lake-0.1.0");
/** The digests of its exports, by format. */
export const OLD_EXPORTS_FILE: string = join(ROOT, "test/golden/old-exports.json");
const SAMPLE = {
	shards: ["train_1", "validation_1", "test_1"],
	images: 21,
	size: 16,
	seed: 10,
} satisfies SampleOptions;
/** When its first and its second commit were made. */
export const DATES = ["2024-03-04T05:06:07.000Z", "2024-04-05T06:07:08.000Z"] as const;

/** The source at its first commit, on the Hub: an orphan in train_1, a picture in test_1 that is cut short. */
export async function openOldSource(): Promise<Lab> {
	const orphan = { code: "IMAGE_ORPHAN", shard: "train_1", variant: null } as const;
	const lab = await Lab.open("old-lake", { ...SAMPLE, defect: orphan }, { date: DATES[0] });
	const cut = { code: "IMAGE_TRUNCATED", shard: "test_1", variant: null } as const;
	const path = imageRewardDb.layout.zipPath("test_1");
	lab.replace(path, join(await lab.variant("cut", { defect: cut }), path));
	await lab.hub.reload(DATES[0]);
	return lab;
}

/** The second commit: other prompts and pictures in test_1, one picture of them lossy. */
export async function changeOldSource(lab: Lab): Promise<void> {
	const lossy = { code: "IMAGE_NOT_LOSSLESS", shard: "test_1", variant: null } as const;
	const other = await lab.variant("other", { seed: 11, defect: lossy });
	for (const path of [imageRewardDb.layout.zipPath("test_1"), metadataPath(imageRewardDb, "test")]) {
		lab.replace(path, join(other, path));
	}
	await lab.hub.reload(DATES[1]);
}

/** An export of the checked-in lake itself: reading it writes nothing into it. */
export async function exportOldLake(lab: Lab, format: string): Promise<Digest> {
	const out = lab.path(`export-${format}`);
	const { code, stderr } = await lab.run(["export", format, "--lake", OLD_LAKE, "--out", out]);
	if (code !== 0) throw new Error(`export ${format} ended with ${code}: ${stderr}`);
	return digestExport(out);
}

/** All of them, to be recorded. */
export async function exportsOfOldLake(): Promise<Record<string, Digest>> {
	const lab = await openOldSource();
	try {
		const digests: Record<string, Digest> = {};
		for (const format of ["hf", "webdataset", "imagereward", "files"])
			digests[format] = await exportOldLake(lab, format);
		return digests;
	} finally {
		await lab.close();
	}
}
