import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Dataset } from "../../../pipelines/dataset.js";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { shardParts } from "../../../pipelines/shards.js";
import { metadataPath } from "../../../pipelines/splits.js";
import type { FindingCode } from "../../../schemas/codes.js";
import { specimenDb } from "../../datasets/specimen-db/dataset.js";
import { makeSpecimens } from "../../datasets/specimen-db/sample.js";
import { makeSample } from "../../tools/sample/make.js";

/** How a source is made. */
export interface SourceForm {
	layout?: "zip" | "unpacked";
	seed?: number;
	defects?: boolean;
}

/** What a mirror of one shard must find and count. */
export interface Expected {
	findings: Partial<Record<FindingCode, number>>;
	counts: Record<string, number>;
}

/** A dataset under test: the suite knows it by this only. */
export interface Subject {
	dataset: Dataset;
	/** Of two splits; the last one is alone in its own. */
	shards: readonly string[];
	/** Tables in the lake, sorted. */
	tables: readonly string[];
	/** Writes a source of these shards; gives what a mirror must come to, by shard. */
	make(folder: string, form: SourceForm): Promise<Record<string, Expected>>;
	/** A predicate over the lake's columns, and the same over the metadata's. */
	where: { lake: string; metadata: string };
	/**
	 * SQL that pairs each row of the lake's table `images` (`lake`) with the source's metadata (`metadata`), and is true of
	 * those whose cells are the same.
	 */
	sameRow: string;
	/** The image path of a row of the metadata, in SQL. @param file where the metadata lies in the source */
	imagePath(split: string): string;
	/** Options that take groups of images, and are refused where the dataset has none. */
	grouped: readonly (readonly string[])[];
}

const REWARD_COLUMNS = [
	...["prompt_id", "prompt", "classification", "image_amount_in_total", "rank"],
	...["overall_rating", "image_text_alignment_rating", "fidelity_rating"],
];

const rewards: Subject = {
	dataset: imageRewardDb,
	shards: ["train_1", "train_2", "test_1"],
	tables: ["images", "pairs", "prompts", "quarantine"],
	async make(folder, { layout = "zip", seed = 1, defects = false }) {
		// As many images as the defects need.
		const { shards } = await makeSample(folder, {
			shards: [...this.shards],
			layout,
			seed,
			defects,
			size: 16,
			planted: null,
		});
		return Object.fromEntries(
			Object.entries(shards).map(([shard, { findings, counts }]) => [shard, { findings, counts: { ...counts } }]),
		);
	},
	where: { lake: "rank <= 2", metadata: "rank <= 2" },
	sameRow: REWARD_COLUMNS.map((column) => `lake.${column} IS NOT DISTINCT FROM metadata.${column}`).join(" AND "),
	imagePath: () => "image_path",
	grouped: [
		["--where", "rank = 1", "--where-mode", "prompt"],
		["--on-bad-image", "drop-group"],
	],
};

const specimens: Subject = {
	dataset: specimenDb,
	shards: ["alpha_1", "alpha_2", "beta2_1"],
	tables: ["images", "quarantine"],
	make(folder, form) {
		return makeSpecimens(folder, { ...form, shards: [...this.shards], images: 12 });
	},
	where: { lake: "weight > 0.5 AND style = 'ink'", metadata: "weight > 0.5 AND style_code = 1" },
	sameRow: [
		"lake.caption = metadata.caption AND lake.weight = metadata.weight AND lake.seed = metadata.seed",
		"lake.style = ['ink', 'oil', 'chalk'][metadata.style_code]",
		"lake.taken_at IS NOT DISTINCT FROM metadata.taken_at AND lake.sharpness IS NOT DISTINCT FROM metadata.sharpness",
		"typeof(lake.weight) = 'FLOAT' AND typeof(lake.seed) = 'BIGINT' AND typeof(lake.taken_at) LIKE 'TIMESTAMP%'",
	].join(" AND "),
	imagePath: (split) => `'parts/${split}/part-' || lpad(part_id::VARCHAR, 6, '0') || '/' || image_name`,
	grouped: [
		["--where", "seed = 1", "--where-mode", "prompt"],
		["--on-bad-image", "drop-group"],
	],
};

export const SUBJECTS: readonly Subject[] = [rewards, specimens];

/** Puts another content in the place of the last shard's, and of its split's metadata. */
export function replaceLast({ dataset, shards }: Subject, folder: string, by: string): void {
	const last = shards.at(-1) ?? "";
	for (const path of [dataset.layout.zipPath(last), metadataPath(dataset, shardParts(last).split)]) {
		mkdirSync(dirname(join(folder, path)), { recursive: true });
		cpSync(join(by, path), join(folder, path));
	}
}
