import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { imageRewardDb } from "../../../pipelines/datasets/imagereward-db/dataset.js";
import { allShards, inDatasetOrder, shardParts } from "../../../pipelines/shards.js";
import { metadataPath, splitNames } from "../../../pipelines/splits.js";
import { LakeError } from "../../../schemas/errors.js";
import type { SourceRow } from "../../support/tables.js";
import { Artist } from "./artist.js";
import { DEFECTS } from "./defects.js";
import { expectedOf, type Planted } from "./expected.js";
import { plantWanted, type WantedDefect } from "./fatal.js";
import { type MetadataDamage, writeMetadata } from "./metadata.js";
import { rowsOf, type ShardPlan } from "./plan.js";
import { fewestImages, plantDefects } from "./plant.js";
import { isRealData, realPlans } from "./real.js";
import { drawnPlan, SMALLEST_GROUP } from "./rows.js";
import { type Layout, type WriteOptions, writeShard } from "./write-shard.js";

export type { Planted } from "./expected.js";

export interface SampleOptions {
	/** By name, in any order; default all 36, or with `from` the two of the test split. */
	shards?: string[];
	/** Images a shard; default 12, with `defects` the fewest that take them. With `from` the most a shard gets; default all there are. */
	images?: number;
	/** Default 1. */
	seed?: number;
	/** Side of the drawn pictures in pixels, 16 to 4096; default 512. */
	size?: number;
	/** Default `zip`. */
	layout?: Layout;
	/** Packs the pictures in the zips too; default false. */
	deflate?: boolean;
	/** Folder of the real prompts, rankings and pictures. */
	from?: string | null;
	/** Plants one of every row, image and warn code. */
	defects?: boolean;
	/** Plants one code. */
	defect?: WantedDefect | null;
	/** Where what was planted is written down; default beside the folder when something was, null: nowhere. */
	planted?: string | null;
}

const README = `---
license: apache-2.0
pretty_name: ImageRewardDB (sample)
---

Made-up data in the layout of ImageRewardDB, for tests.
`;

/**
 * Writes a folder in the layout of the dataset's repository. Same options, same bytes.
 * @throws USAGE when the options do not fit each other, or the folder is not empty
 */
export async function makeSample(dir: string, options: SampleOptions = {}): Promise<Planted> {
	const { seed = 1, size = 512, layout = "zip", deflate = false } = options;
	checkFolder(dir);
	if (!Number.isInteger(size) || size < 16 || size > 4096) {
		throw new LakeError("USAGE", "--size must be a whole number from 16 to 4096.");
	}
	const plans = makePlans(options, seed);
	const zips = layout === "zip" || layout === "zip-folder";
	const damages = new Map<string, MetadataDamage>();
	if (options.defects) plantDefects(plans, DEFECTS, zips, seed);
	if (options.defect) plantWanted(plans, options.defect, damages, zips, seed);
	mkdirSync(dir, { recursive: true });
	await writeShards(dir, plans, { layout, size, deflate });
	await writeAllMetadata(dir, plans, damages);
	writeFileSync(join(dir, "README.md"), README);
	const planted = expectedOf(plans, seed, layout);
	const record = options.planted === undefined && planted.planted.length > 0 ? plantedFile(dir) : options.planted;
	if (record) writeFileSync(record, `${JSON.stringify(planted, null, 2)}\n`);
	return planted;
}

/** Where what was planted in a folder is written down by default: beside it, so that no source lists it. */
export function plantedFile(dir: string): string {
	const path = resolve(dir);
	return join(dirname(path), `${basename(path)}.planted.json`);
}

function checkFolder(dir: string): void {
	if (existsSync(dir) && readdirSync(dir).length > 0) {
		throw new LakeError("USAGE", `${dir} is not empty.`, { hint: "Remove it, or name another folder." });
	}
}

function makePlans(options: SampleOptions, seed: number): ShardPlan[] {
	const { from = null, images } = options;
	const known = allShards(imageRewardDb);
	const shards = inDatasetOrder(imageRewardDb, new Set(options.shards ?? (from ? ["test_1", "test_2"] : known)));
	const unknown = shards.find((shard) => !known.includes(shard));
	if (unknown !== undefined || shards.length === 0) {
		throw new LakeError("USAGE", `There is no shard ${unknown ?? "to make"}.`, {
			hint: `They are ${known.join(", ")}.`,
		});
	}
	if (images !== undefined && (!Number.isInteger(images) || images < SMALLEST_GROUP)) {
		throw new LakeError("USAGE", `--images must be a whole number, ${SMALLEST_GROUP} or more: the smallest prompt's.`);
	}
	if (from === null) {
		const each = images ?? (options.defects ? fewestImages(shards.length) : 12);
		return shards.map((shard) => drawnPlan(shard, each, seed));
	}
	if (!isRealData(from)) {
		throw new LakeError("USAGE", `${from} does not hold test.json and the pictures 1.webp to 4.webp.`);
	}
	const plans = realPlans(from, shards, images ?? null, seed);
	const empty = plans.find(({ groups }) => groups.length === 0);
	if (empty) throw new LakeError("USAGE", `The real data has no prompt left for ${empty.shard}.`);
	return plans;
}

/** Two shards at a time: while one ends, the next keeps the cores busy. */
async function writeShards(dir: string, plans: ShardPlan[], options: WriteOptions): Promise<void> {
	const artist = new Artist();
	const queue = [...plans];
	const lane = async () => {
		try {
			for (let plan = queue.shift(); plan; plan = queue.shift()) await writeShard(dir, plan, artist, options);
		} finally {
			queue.length = 0;
		}
	};
	const lanes = await Promise.allSettled([lane(), lane()]);
	await artist.close();
	for (const end of lanes) if (end.status === "rejected") throw end.reason;
}

async function writeAllMetadata(dir: string, plans: ShardPlan[], damages: Map<string, MetadataDamage>): Promise<void> {
	for (const split of splitNames(imageRewardDb)) {
		const own = plans.filter(({ shard }) => shardParts(shard).split === split);
		if (own.length === 0) continue;
		const rows = own.flatMap((plan): SourceRow[] => [
			...rowsOf(plan).flatMap(({ metadata }) => (metadata ? [metadata] : [])),
			...plan.extraMetadata,
		]);
		await writeMetadata(join(dir, metadataPath(imageRewardDb, split)), rows, damages.get(split) ?? null);
	}
}
