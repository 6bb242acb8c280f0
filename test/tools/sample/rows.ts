import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { allShards } from "../../../pipelines/shards.js";
import type { SourceRow } from "../../support/tables.js";
import type { PictureSource, PlannedGroup, PlannedMember, ShardPlan } from "./plan.js";
import { CLASSIFICATIONS, makePrompt } from "./prompts.js";
import { Random } from "./random.js";

/** One image in this many has an alpha channel in use. */
const ALPHA_EVERY = 20;
export const SMALLEST_GROUP = 4;
const LARGEST_GROUP = 9;

export interface PromptTexts {
	prompt_id: string;
	prompt: string;
	classification: string;
}

export interface PromptImage {
	/** `<uuid>.webp`. */
	name: string;
	rank: number;
	picture: PictureSource;
}

export function emptyPlan(shard: string): ShardPlan {
	return {
		shard,
		groups: [],
		members: new Map(),
		extraMetadata: [],
		planted: [],
		findings: {},
		fatal: null,
		absent: false,
		jsonText: (text) => text,
		zip: {},
	};
}

/** A shard of made-up prompts. Depends on seed, shard and number of images alone, not on the other shards made. */
export function drawnPlan(shard: string, images: number, seed: number): ShardPlan {
	const random = new Random(`${seed}/${shard}`);
	const plan = emptyPlan(shard);
	const number = allShards(imageRewardDb).indexOf(shard) + 1;
	let drawn = 0;
	groupSizes(random, images).forEach((size, index) => {
		// Shard and place make it unique over all shards; the dataset's own ids look like this.
		const part = String(number * 10000 + index).padStart(6, "0");
		const texts = {
			prompt_id: `${part}-${String(random.int(0, 199)).padStart(4, "0")}`,
			prompt: makePrompt(random),
			classification: random.pick(CLASSIFICATIONS),
		};
		const entries = Array.from({ length: size }, (): PromptImage => {
			const alpha = drawn++ % ALPHA_EVERY === 3;
			const picture: PictureSource = { kind: "drawn", seed: `${seed}/${shard}/${drawn}`, alpha };
			return { name: `${random.uuid()}.webp`, rank: random.int(1, 5), picture };
		});
		addPrompt(plan, texts, entries, random);
	});
	return plan;
}

/** Sizes of four to nine that add up to the number of images. */
function groupSizes(random: Random, images: number): number[] {
	const sizes: number[] = [];
	for (let left = images; left > 0; ) {
		const most = left <= LARGEST_GROUP ? left : Math.min(LARGEST_GROUP, left - SMALLEST_GROUP);
		const size = left <= LARGEST_GROUP && random.int(0, 1) ? left : random.int(SMALLEST_GROUP, most);
		const rest = left - size;
		const taken = rest > 0 && rest < SMALLEST_GROUP ? left : size;
		sizes.push(taken);
		left -= taken;
	}
	return sizes;
}

/** Adds a prompt with its images to the plan; ratings are made up, the better the rank the higher. */
export function addPrompt(plan: ShardPlan, texts: PromptTexts, images: PromptImage[], random: Random): void {
	const group: PlannedGroup = { rows: [], taken: false };
	for (const { name, rank, picture } of images) {
		const rating = () => Math.min(7, Math.max(1, 8 - rank - random.int(-1, 2)));
		const row: SourceRow = {
			image_path: `${imageRewardDb.layout.rowPrefix(plan.shard)}${name}`,
			...texts,
			image_amount_in_total: images.length,
			rank,
			overall_rating: rating(),
			image_text_alignment_rating: rating(),
			fidelity_rating: rating(),
		};
		group.rows.push({ json: { ...row }, metadata: row, rejected: false });
		const member: PlannedMember = { name, picture, fate: "published" };
		plan.members.set(name, member);
	}
	plan.groups.push(group);
}
