import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { ShardPlan } from "./plan.js";
import { CLASSIFICATIONS } from "./prompts.js";
import { Random } from "./random.js";
import { addPrompt, emptyPlan } from "./rows.js";

/** One prompt of the authors' `test.json`. */
const RealPrompt = z.object({
	id: z.string(),
	prompt: z.string(),
	generations: z.array(z.string()),
	ranking: z.array(z.int()),
});
type RealPrompt = z.infer<typeof RealPrompt>;

const PICTURES = ["1.webp", "2.webp", "3.webp", "4.webp"];

/** Whether the folder holds the authors' rankings and the four pictures. */
export function isRealData(folder: string): boolean {
	return ["test.json", ...PICTURES].every((name) => existsSync(join(folder, name)));
}

/**
 * The real prompts and rankings, in their order, spread about evenly over the shards; no prompt is cut.
 * Every image gets the pixels of one of four real pictures. Classes and ratings are made up.
 * @param images at most so many a shard, in whole prompts; null: all there are
 */
export function realPlans(folder: string, shards: string[], images: number | null, seed: number): ShardPlan[] {
	const prompts = z.array(RealPrompt).parse(JSON.parse(readFileSync(join(folder, "test.json"), "utf8")));
	const total = prompts.reduce((sum, { generations }) => sum + generations.length, 0);
	let given = 0;
	let next = 0;
	return shards.map((shard, index) => {
		const plan = emptyPlan(shard);
		const random = new Random(`${seed}/${shard}`);
		const goal = (total * (index + 1)) / shards.length;
		for (let prompt = prompts[next]; prompt; prompt = prompts[next]) {
			const size = prompt.generations.length;
			if (given + size / 2 > goal || (images !== null && plan.members.size + size > images)) break;
			addRealPrompt(plan, prompt, folder, random);
			given += size;
			next++;
		}
		return plan;
	});
}

function addRealPrompt(
	plan: ShardPlan,
	{ id, prompt, generations, ranking }: RealPrompt,
	folder: string,
	random: Random,
) {
	const images = generations.map((generation, at) => ({
		name: generation.slice(generation.lastIndexOf("/") + 1),
		rank: ranking[at] ?? 1,
		picture: { kind: "real" as const, file: join(folder, random.pick(PICTURES)) },
	}));
	addPrompt(plan, { prompt_id: id, prompt, classification: random.pick(CLASSIFICATIONS) }, images, random);
}
