import type { FindingCode } from "../../../schemas/codes.js";
import { Random } from "../../tools/sample/random.js";
import { type Colour, png } from "./png.js";
import { STYLES } from "./row.js";

/** A shard of the sample before anything is written, and what a mirror must find in it. */

/** A row of the metadata; the style is written as a number. */
export interface SpecimenMetadata {
	part_id: number;
	image_name: string;
	caption: string;
	weight: number;
	seed: number;
	style_code: number;
	/** Microseconds since 1970 UTC. */
	taken_at: number | null;
	sharpness: number | null;
}

/** One entry of the shard's JSON. */
export interface Specimen {
	/** File name of its image, and its key. */
	name: string;
	/** Fields of the JSON. */
	json: Record<string, unknown>;
	metadata: SpecimenMetadata | null;
	/** What lies in the zip under its name; null: nothing does, or an earlier entry's. */
	image: Buffer | null;
	rejected: boolean;
	/** Of the image in the zip. */
	fate: "published" | "rejected";
}

export interface SpecimenShard {
	shard: string;
	specimens: Specimen[];
	/** Members that no row names. */
	orphans: { name: string; image: Buffer }[];
	/** Rows of the metadata that the JSON lacks. */
	extra: SpecimenMetadata[];
	findings: Partial<Record<FindingCode, number>>;
}

const COLOURS: readonly Colour[] = ["rgb", "grey", "rgba"];
const UINT32 = 2 ** 32;
/** 2020-01-01 */
const FIRST_MOMENT = 1_577_836_800_000_000;

/** A shard without defects: every colour type, numbers of every size, NULLs among what only the metadata tells. */
export function plannedShard(shard: string, images: number, seed: number): SpecimenShard {
	const random = new Random(`specimens ${seed} ${shard}`);
	const part = Number(shard.slice(shard.lastIndexOf("_") + 1));
	const specimens = Array.from({ length: images }, (_, at) => specimen(random, part, at));
	return { shard, specimens, orphans: [], extra: [], findings: {} };
}

function specimen(random: Random, part: number, at: number): Specimen {
	const name = `${random.uuid()}.png`;
	const style = random.int(1, STYLES.length);
	const json = {
		t: `specimen ${at}, “${random.pick(["moss", "fern", "lichen"])}”`,
		w: Math.fround(random.bits() / UINT32),
		// Beyond what 31 bits hold.
		n: at === 0 ? UINT32 - 1 : random.bits(),
		style: STYLES[style - 1],
	};
	const metadata = {
		part_id: part,
		image_name: name,
		caption: json.t,
		weight: json.w,
		seed: json.n,
		style_code: style,
		taken_at: at % 4 === 3 ? null : FIRST_MOMENT + at * 86_400_000_001,
		sharpness: at % 3 === 2 ? null : random.bits() / 7,
	};
	const image = png(COLOURS[at % 3] ?? "rgb", 40 + (at % 3), 40, () => random.int(0, 255));
	return { name, json, metadata, image, rejected: false, fate: "published" };
}
