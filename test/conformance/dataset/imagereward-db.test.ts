import { cpSync } from "node:fs";
import { join } from "node:path";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { metadataPath } from "../../../pipelines/splits.js";
import { makeSample, type SampleOptions } from "../../tools/sample/make.js";
import { holdsTheContract } from "./suite.js";

const SAMPLE = {
	shards: ["train_1", "validation_1", "test_1"],
	images: 24,
	size: 64,
	planted: null,
} satisfies SampleOptions;
const COLUMNS = [
	...["prompt_id", "prompt", "classification", "image_amount_in_total", "rank"],
	...["overall_rating", "image_text_alignment_rating", "fidelity_rating"],
];
const same = (sql: string) => ({ lake: sql, metadata: sql });

holdsTheContract({
	dataset: imageRewardDb,
	shards: SAMPLE.shards,
	clean: async (folder, layout) => void (await makeSample(folder, { ...SAMPLE, layout })),
	changed: async (folder) => {
		await makeSample(folder, SAMPLE);
		await makeSample(`${folder}-other`, { ...SAMPLE, shards: ["test_1"], seed: 2 });
		for (const path of [imageRewardDb.layout.zipPath("test_1"), metadataPath(imageRewardDb, "test")]) {
			cpSync(join(`${folder}-other`, path), join(folder, path));
		}
		return { added: SAMPLE.images, removed: SAMPLE.images, changed: 0 };
	},
	planted: async (folder) => {
		const shards = [...SAMPLE.shards, "train_2", "train_3"];
		const { shards: expected } = await makeSample(folder, { shards, size: 32, defects: true, planted: null });
		const told = Object.entries(expected).map(([shard, { findings, counts }]) => {
			return [shard, { findings: { ...findings }, counts: { ...counts } }] as const;
		});
		return Object.fromEntries(told);
	},
	some: { where: "rank = 1", metadata: "rank = 1" },
	few: { where: "md5(image_path) < '20'", metadata: "md5(image_path) < '20'" },
	sums: [same("sum(rank)"), same("sum(overall_rating)"), same("count(DISTINCT prompt_id)"), same("max(image_path)")],
	sameRow: COLUMNS.map((column) => `lake.${column} IS NOT DISTINCT FROM metadata.${column}`).join(" AND "),
	imagePath: () => "image_path",
	exports: ["hf", "imagereward"],
});
